// Runs the rows of models.txt and compares what is found with what stands there. See tla/README.md.
//
// Each row is a process of its own: the checker's memory grows and is never given back.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { lint } from './lint.mjs';

const HERE = path.dirname(new URL(import.meta.url).pathname);
const STATES_MAX = 5_000_000;
const DEPTH_MAX = 1_000_000;
const OUTPUT_MAX = 1 << 30;
const BY_DESIGN_UNBROKEN = 'TypeOK'; // guards the model's own bounds, not a law

// ---- the manifest and the configurations

function readManifest() {
  const rows = [];
  for (const line of fs.readFileSync(path.join(HERE, 'models.txt'), 'utf8').split('\n')) {
    const words = line.replace(/#.*/, '').split(/\s+/).filter(Boolean);
    if (words.length === 0) continue;
    const [cfg, result, count, ...flags] = words;
    const module = cfg.replace(/_.*/, '');
    rows.push({
      cfg, module, result,
      count: count === '-' ? null : Number(count),
      isDeep: flags.includes('deep'),
      covers: flags.includes('covers'),
      tla: path.join(HERE, module, `${module}.tla`),
      file: path.join(HERE, module, `${cfg}.cfg`),
    });
  }
  return rows;
}

function withoutComments(text) {
  return text.replace(/\(\*[\s\S]*?\*\)/g, ' ').replace(/\\\*[^\n]*/g, '');
}

function invariantsOf(file) {
  const words = withoutComments(fs.readFileSync(file, 'utf8')).split(/\s+/).filter(Boolean);
  const from = words.findIndex((word) => /^INVARIANTS?$/.test(word));
  const rest = from < 0 ? [] : words.slice(from + 1);
  const to = rest.findIndex((word) => /^[A-Z_]+$/.test(word));
  return to < 0 ? rest : rest.slice(0, to);
}

// Name -> body of every definition.
function definitionsOf(tla) {
  const text = withoutComments(fs.readFileSync(tla, 'utf8'));
  const starts = [...text.matchAll(/^(\w+)(?:\([^)]*\))?\s*==/gm)];
  return new Map(starts.map((match, i) => [match[1],
    text.slice(match.index + match[0].length, starts[i + 1]?.index)]));
}

// What Next names that says something about the next state, itself or by what it names; not what
// only a gap enables.
function actionsOf(tla) {
  const definitions = definitionsOf(tla);
  const namesIn = (name) => [...new Set(definitions.get(name).match(/[A-Za-z_]\w*/g))]
    .filter((word) => word !== name && definitions.has(word));
  const isAction = (name) => /'|UNCHANGED/.test(definitions.get(name))
    || namesIn(name).some(isAction);
  const isOfAGap = (name) => /^\s*\/\\ Gap = "/.test(definitions.get(name));
  return namesIn('Next').filter((name) => isAction(name) && !isOfAGap(name));
}

// ---- tla-checker, in a process of its own

async function runChecker(tla, cfg, wantsLabels) {
  const dir = process.env.TLA_CHECKER_DIR;
  const checker = await import(path.join(dir, 'tla_checker.js'));
  checker.initSync({ module: fs.readFileSync(path.join(dir, 'tla_checker_bg.wasm')) });
  const options = {
    cfg_source: fs.readFileSync(cfg, 'utf8'), max_states: STATES_MAX, max_depth: DEPTH_MAX,
  };
  if (wantsLabels) Object.assign(options, { export_dot: true, dot_mode: 'full' });
  const module = fs.readFileSync(tla, 'utf8');
  const found = JSON.parse(checker.check_spec_with_options(module, JSON.stringify(options)));
  const labels = new Set();
  for (const match of (found.dot ?? '').matchAll(/-> s\d+ \[label="(\w+)/g)) labels.add(match[1]);
  const { dot, ...rest } = found;
  process.stdout.write(JSON.stringify({ ...rest, labels: [...labels] }));
}

function childOf(row) {
  const args = [new URL(import.meta.url).pathname, '--one', row.tla, row.file];
  if (row.covers) args.push('--labels');
  return spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: OUTPUT_MAX });
}

function finding(result, count, text, labels = []) {
  return { result, count, text, labels };
}

function statesIn(trace) {
  return (trace.match(/^State \d+/gm) ?? []).length;
}

function checkWithChecker(row) {
  const child = childOf(row);
  if (child.status !== 0) return finding('crash', 0, child.stderr);
  const found = JSON.parse(child.stdout);
  if (found.warnings.length > 0) return finding('warning', 0, found.warnings.join('\n'));
  if (found.success) return finding('ok', found.states_explored, '', found.labels);
  const trace = (found.trace ?? []).join('\n');
  const number = /^Invariant (\d+) violated/.exec(found.error_message ?? '');
  const broken = number && invariantsOf(row.file)[Number(number[1])];
  const result = broken ? `violates:${broken}` : found.error_type;
  return finding(result, statesIn(trace), `${found.error_message}\n${trace}`);
}

// ---- TLC

function checkWithTlc(row) {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'quoin-tlc-'));
  const child = spawnSync('java', ['-XX:+UseSerialGC', '-cp', process.env.TLA2TOOLS_JAR, 'tlc2.TLC',
    '-workers', '1', '-metadir', scratch, '-noGenerateSpecTE', '-config', row.file, row.tla],
  { encoding: 'utf8', maxBuffer: OUTPUT_MAX });
  fs.rmSync(scratch, { recursive: true });
  const text = child.stdout ?? '';
  const broken = /Invariant (\w+) is violated/.exec(text);
  if (broken) return finding(`violates:${broken[1]}`, statesIn(text), text);
  const states = /(\d+) distinct states found/.exec(text);
  if (states && /No error has been found/.test(text)) return finding('ok', Number(states[1]), '');
  return finding('error', 0, text + (child.stderr ?? ''));
}

// ---- TAP

let tests = 0;
let failures = 0;

function say(isOk, name, why) {
  tests++;
  failures += !isOk;
  console.log(`${isOk ? 'ok' : 'not ok'} ${tests} - ${name}`);
  if (!isOk) for (const line of why.trimEnd().split('\n')) console.log(`#   ${line}`);
}

function checkRow(row, taken) {
  const start = Date.now();
  const found = process.env.TLA2TOOLS_JAR ? checkWithTlc(row) : checkWithChecker(row);
  for (const label of found.labels) taken.add(`${row.module}.${label}`);
  const isOk = found.result === row.result && (row.count === null || found.count === row.count);
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  say(isOk, `${row.cfg} ${found.result} ${found.count} ${seconds}s`,
    `expected ${row.result} ${row.count ?? ''}\n${found.text}`);
}

// ---- rules over the manifest: nothing is left out, nothing is vacuous

function checkModule(module, rows, taken, isWhole) {
  const own = rows.filter((row) => row.module === module);
  const findings = lint(fs.readFileSync(own[0].tla, 'utf8'));
  say(findings.length === 0, `${module} keeps to the common subset`, findings.join('\n'));
  const listed = new Set(own.map((row) => `${row.cfg}.cfg`));
  const stray = fs.readdirSync(path.dirname(own[0].tla))
    .filter((name) => name.endsWith('.cfg') && !listed.has(name));
  say(stray.length === 0, `${module} has every configuration in the manifest`, stray.join('\n'));
  const passing = own.filter((row) => row.result === 'ok');
  const claimed = new Set(passing.flatMap((row) => invariantsOf(row.file)));
  const broken = new Set(own.map((row) => row.result.replace('violates:', '')));
  const toothless = [...claimed].filter((name) => name !== BY_DESIGN_UNBROKEN && !broken.has(name));
  say(toothless.length === 0, `${module} has a gap for every invariant`, toothless.join('\n'));
  const never = actionsOf(own[0].tla).filter((action) => !taken.has(`${module}.${action}`));
  if (isWhole && !process.env.TLA2TOOLS_JAR)
    say(never.length === 0, `${module} takes every action`, never.join('\n'));
}

function main(args) {
  const names = args.filter((word) => !word.startsWith('--'));
  const rows = readManifest();
  const chosen = rows.filter((row) => (args.includes('--deep') || !row.isDeep)
    && (names.length === 0 || names.some((name) => row.cfg.includes(name))));
  const taken = new Set();
  for (const row of chosen) checkRow(row, taken);
  for (const module of new Set(chosen.map((row) => row.module)))
    checkModule(module, rows, taken, names.length === 0);
  console.log(`# ${process.env.TLA2TOOLS_JAR ? 'TLC' : 'tla-checker'}`);
  console.log(`1..${tests}`);
  process.exitCode = failures > 0 || tests === 0 ? 1 : 0;
}

const [first, ...rest] = process.argv.slice(2);
if (first === '--one') await runChecker(rest[0], rest[1], rest[2] === '--labels');
else main(first === undefined ? [] : [first, ...rest]);
