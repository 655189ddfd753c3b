// Runs of the C against the model: what became durable, in which order, must be a behaviour of
// SnapshotOrdering. See tla/README.md, "Traces".
//
//     trace.mjs PROGRAM     PROGRAM: build/faults/durable_trace, whose events are described there
//
// Each event becomes the model's actions that explain it, with what the C program saw; what the
// model knows and the C does not say (what others chose, when an entry was applied) is put between.
// The actions are cut in chunks, and each chunk becomes a module: SnapshotOrdering, the chunk as a
// constant, and a cursor. A chunk is accepted if and only if the cursor reaches its end, that is if
// the invariant "it does not" is violated, and no other before it.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const HERE = path.dirname(new URL(import.meta.url).pathname);
const MODEL = path.join(HERE, 'SnapshotOrdering', 'SnapshotOrdering.tla');
const CHUNK_STEPS = 80;
const STEPS_MIN = 300; // of a run: fewer would say little
const OUTPUT_MAX = 1 << 28;
const NONE = 999; // nothing was seen

// [run, planted bug]: with a bug a chunk must be rejected.
const RUNS = [['alone'], ['member'], ['alone', 'mark_before_flush'], ['member', 'mark_before_flush'],
  ['member', 'flush_ahead_of_log']];

// What a run must contain, or it shows nothing about it.
const EVERY = ['SyncWal', 'Apply', 'Freeze', 'Flush', 'MarkDue', 'MarkWrite', 'BaseWrite', 'SegmentsGo',
  'Crash', 'Boot'];
const WANTED = {
  alone: [...EVERY, 'ProposeAlone', 'CommitAlone', 'FlushFails', 'Reopen'],
  member: [...EVERY, 'Receive', 'Learn', 'InstallBegin', 'InstallFill', 'InstallRename',
    'InstallSyncDir', 'InstallReset', 'InstallDone'],
};

const INVARIANTS = ['TypeOK', 'MarkImpliesApplied', 'CompactedIsCovered', 'MarkNeverBack',
  'AppliedIndexIsHonest', 'NeverApplyTwice', 'NeverAheadOfWal', 'VisibleIsComplete',
  'NoLostCommittedEntry', 'StateIsFold', 'LogHoldsApplied', 'VoterKeptPromises', 'CrashesAreNoLoss',
  'NotAccepted'];

// ---- the state of the model, as far as a chunk must begin with it

const NO_JOB = { pc: 'none', idx: 0, t: 0 };
const ABSENT = { there: false, full: false, rows: [], idx: 0, t: 0, installed: false };
const last = (list) => list[list.length - 1];
const end = (wal) => wal.base + wal.ents.length;
const hasRows = (kind) => kind === 'rows';
const clone = (value) => JSON.parse(JSON.stringify(value));

// A change of members makes no mark due by itself here: the C has one place that does, after flushes.
const kindOf = (kind) => (kind === 'members' ? 'noop' : kind);
const entriesOf = (event) => event.ents.map(([t, kind]) => ({ t, k: kindOf(kind) }));
const walOf = (event) => ({
  base: event.base, bt: event.bt, mark: event.mark, ents: entriesOf(event),
});

function firstState(found, alone) {
  return {
    log: alone ? [] : entriesOf(found),
    pend: [],
    term: last(entriesOf(found))?.t ?? 1,
    mode: 'down',
    wal: [walOf(found)],
    gone: 0,
    cur: [1],
    dbs: [{ ...ABSENT, there: true, full: true, idx: found.idx, t: found.t }, { ...ABSENT }],
    app: 0, appt: 0, com: 0, buf: [], frz: [], dead: false,
    job: { ...NO_JOB }, inst: { ...NO_JOB },
    prom: 0, crashes: 0, fails: 0,
  };
}

// Actions on that state, named and meant as in the module, where their guards are.
const ACTIONS = {
  Propose(s, e) { s.pend = [{ t: s.term, k: e.k }]; },
  Choose(s) { s.log.push(...s.pend); s.pend = []; },
  NewLeader(s) { s.term++; s.pend = []; s.prom = Math.min(s.prom, s.log.length); },
  Receive(s) {
    const now = clone(last(s.wal));
    now.ents.push([...s.log, ...s.pend][end(now)]);
    s.wal.push(now);
  },
  SyncWal(s, e, alone) {
    s.wal = [last(s.wal)];
    if (!alone) s.prom = Math.max(s.prom, end(s.wal[0]));
  },
  Learn(s) { s.com = Math.min(s.log.length, end(last(s.wal))); },
  ProposeAlone(s, e) {
    const now = clone(last(s.wal));
    now.ents.push({ t: s.term, k: e.k });
    s.wal.push(now);
  },
  CommitAlone(s) {
    const { base, ents } = s.wal[0];
    s.com = base + ents.length;
    s.log.push(...ents.slice(s.log.length - base));
    s.prom = s.com;
  },
  Apply(s) {
    const entry = last(s.wal).ents[s.app - last(s.wal).base];
    s.app++;
    s.appt = entry.t;
    if (hasRows(entry.k)) s.buf.push({ i: s.app, t: entry.t });
  },
  Freeze(s) { s.frz = [{ rows: s.buf, idx: s.app, t: s.appt }]; s.buf = []; },
  Flush(s) { write(s); s.frz = []; },
  FlushFails(s, e) { s.dead = true; s.fails++; if (e.isKept) write(s); },
  Reopen(s) { s.dead = false; },
  MarkDue(s) { const db = s.dbs[last(s.cur) - 1]; s.job = { pc: 'mark', idx: db.idx, t: db.t }; },
  MarkWrite(s) { s.wal.push({ ...clone(last(s.wal)), mark: s.job.idx }); s.job.pc = 'base'; },
  BaseWrite(s) {
    const now = clone(last(s.wal));
    const kept = now.ents.slice(s.job.idx - now.base);
    s.wal.push({ ...now, base: s.job.idx, bt: s.job.t, ents: kept });
    s.job.pc = 'gone';
  },
  SegmentsGo(s) { s.gone = Math.max(s.gone, s.job.idx); s.job = { ...NO_JOB }; },
  InstallBegin(s, e) {
    const rows = s.log.slice(0, e.x).map(({ t, k }, at) => ({ i: at + 1, t, k }));
    s.inst = { pc: 'fill', idx: e.x, t: s.log[e.x - 1].t };
    s.dbs[2 - last(s.cur)] = {
      ...ABSENT, there: true, rows: rows.filter(({ k }) => hasRows(k)).map(({ i, t }) => ({ i, t })),
    };
  },
  InstallFill(s) {
    Object.assign(s.dbs[2 - last(s.cur)],
      { full: true, idx: s.inst.idx, t: s.inst.t, installed: true });
    s.inst.pc = 'rename';
  },
  InstallRename(s) { s.cur = [s.cur[0], 3 - s.cur[0]]; s.inst.pc = 'sync'; },
  InstallSyncDir(s) { s.cur = [last(s.cur)]; s.inst.pc = 'reset'; },
  InstallReset(s) {
    const { idx, t } = s.inst;
    s.wal.push({ base: idx, bt: t, mark: idx, ents: [] });
    s.inst.pc = 'done';
    s.job = { ...NO_JOB };
  },
  InstallDone(s) {
    const { idx, t } = s.inst;
    Object.assign(s, { mode: 'run', app: idx, appt: t, com: Math.max(s.com, idx), buf: [] });
    s.prom = Math.max(s.prom, idx);
    s.dbs[2 - last(s.cur)] = { ...ABSENT };
    s.inst = { ...NO_JOB };
  },
  Crash(s) {
    Object.assign(s, { mode: 'down', app: 0, appt: 0, com: 0, buf: [], frz: [], dead: false });
    Object.assign(s, { job: { ...NO_JOB }, inst: { ...NO_JOB } });
    s.crashes++;
  },
  Boot(s, e, alone) {
    const db = s.dbs[last(s.cur) - 1];
    Object.assign(s, { mode: 'run', app: db.idx, appt: db.t, com: db.idx });
    s.term += alone;
  },
  // What the C did and no action is: the chunk cannot be accepted beyond it.
  NoSuchAction() {},
};

function write(s) {
  const db = s.dbs[last(s.cur) - 1];
  if (db.idx === s.frz[0].idx) return;
  db.rows = [...db.rows, ...s.frz[0].rows];
  Object.assign(db, { idx: s.frz[0].idx, t: s.frz[0].t, installed: false });
}

// ---- events to actions

class Run {
  constructor(events, alone) {
    this.events = events;
    this.alone = alone;
    this.steps = [];
    this.log = null; // as the C said last
    this.behindReset = null;
  }

  // An action with what was seen of it in the C, if anything.
  take(a, { k = '', x = 0, seen = {}, why = '', isKept = false } = {}) {
    const step = { a, k, x, seen, why, isKept, before: clone(this.state) };
    this.steps.push(step);
    if (a === 'NoSuchAction') throw new Stuck(why);
    try {
      ACTIONS[a](this.state, step, this.alone);
    } catch {
      throw new Stuck(`${a} makes no sense here`); // the model says so too, when it gets there
    }
  }

  see(seen) { Object.assign(last(this.steps).seen, seen); }

  get now() { return last(this.state.wal); }
  get db() { return this.state.dbs[last(this.state.cur) - 1]; }

  // The log's end moves on by one entry; synced with the next SyncWal.
  receive({ t, k }) {
    if (this.alone) {
      this.take('ProposeAlone', { k });
      return;
    }
    if (this.state.pend.length > 0) this.take('Choose');
    while (this.state.term < t) {
      this.take('Propose', { k: 'noop' });
      this.take('NewLeader');
    }
    if (this.state.log.length === end(this.now)) this.take('Propose', { k });
    this.take('Receive');
  }

  settle() {
    if (!this.alone && this.state.pend.length > 0) this.take('Choose');
  }

  noteLog(event) {
    if (event.damaged) this.take('NoSuchAction', { why: `damage: ${event.damaged}` });
    const before = this.log, after = walOf(event);
    if (this.state.inst.pc === 'reset' && after.base === this.state.inst.idx) {
      this.take('InstallReset');
      this.take('SyncWal');
      this.log = { ...after, ents: [] };
      this.seeLog();
    }
    if (this.state.inst.pc === 'done') {
      this.behindReset = event; // entries behind it are the model's when the install is over
      return;
    }
    this.log = after;
    this.compareKept(before, after);
    for (let i = end(before); i < end(after); i++) {
      this.receive(after.ents[i - after.base]);
      this.take('SyncWal');
      this.settle();
    }
    const marked = after.mark > before.mark, based = after.base > before.base;
    if (marked) this.take('MarkWrite');
    if (marked && !based) this.take('SyncWal'); // both at once: one was not waited for
    if (based) { this.take('BaseWrite'); this.take('SyncWal'); }
    if (after.mark < before.mark || after.base < before.base)
      this.take('NoSuchAction', { why: 'the mark or the base goes back' });
    this.seeLog();
  }

  compareKept(before, after) {
    for (let i = Math.max(before.base, after.base); i < end(before); i++) {
      const was = before.ents[i - before.base], is = after.ents[i - after.base];
      if (!is || is.t !== was.t || is.k !== was.k)
        this.take('NoSuchAction', { why: `entry ${i + 1} was synced and is not there` });
    }
    if (end(after) < after.base) this.take('NoSuchAction', { why: 'the log has a hole' });
  }

  seeLog() {
    if (this.steps.length > 0) this.see({
      base: this.log.base, mark: this.log.mark, last: end(this.log),
    });
  }

  applyTo(idx) {
    while (end(this.now) < idx && this.state.wal.length === 1)
      this.receive({ t: this.now.ents.length ? last(this.now.ents).t : this.now.bt, k: 'rows' });
    this.settle();
    if (this.state.com < idx) this.take(this.alone ? 'CommitAlone' : 'Learn');
    while (this.state.app < idx) this.take('Apply');
  }

  flushTo(event) {
    if (event.idx === this.db.idx && this.state.frz.length === 0) return; // swept rows only, or failed
    if (this.state.frz.length === 0) {
      this.applyTo(event.idx);
      this.take('Freeze');
    }
    this.take('Flush', { seen: { idx: event.idx } });
  }

  extend(idx) {
    this.settle();
    while (this.state.log.length < idx) {
      this.take('Propose', { k: 'rows' });
      this.take('Choose');
    }
  }

  event(event, at) {
    switch (event.e) {
      case 'wal': this.noteLog(event); break;
      case 'flush': this.pendingFlush(event, at); break;
      case 'counted': break;
      case 'reopened': this.take('Reopen', { seen: { idx: this.db.idx } }); break;
      case 'mark': this.take('MarkDue', { seen: { job: event.idx } }); break;
      case 'compacted': this.take('SegmentsGo'); break;
      case 'filled': {
        const { idx } = this.events.slice(at).find(({ e }) => e === 'adopted');
        this.extend(idx);
        this.take('InstallBegin', { x: idx });
        this.take('InstallFill');
        break;
      }
      case 'renamed': this.take('InstallRename'); break;
      case 'named': this.take('InstallSyncDir'); break;
      case 'adopted': this.see({ idx: event.idx }); break;
      case 'settled':
        this.take('InstallDone', { seen: { app: this.state.inst.idx } });
        this.noteLog(this.behindReset);
        break;
      case 'crash': break; // told with what was found
      case 'found': this.restart(event); break;
      default: throw new Error(`no such event: ${event.e}`);
    }
  }

  // Whether the write failed is told by what comes next of LevelDB: counted, or reopened.
  pendingFlush(event, at) {
    const next = this.events.slice(at + 1).find(({ e }) => ['counted', 'reopened', 'crash'].includes(e));
    if (next?.e !== 'reopened') {
      this.flushTo(event);
      return;
    }
    const isKept = event.idx !== this.db.idx;
    if (this.state.frz.length === 0) {
      // What it would have brought is what the next good one brings.
      const good = this.events.slice(at + 1).find(({ e, idx }) => e === 'flush' && idx > this.db.idx);
      this.applyTo(isKept ? event.idx : good.idx);
      this.take('Freeze');
    }
    this.take('FlushFails', { isKept, seen: { idx: event.idx } });
  }

  restart(event) {
    if (event.idx > this.db.idx) this.flushTo(event);
    this.noteLog(event);
    this.take('Crash', { seen: { idx: event.idx, base: event.base, mark: event.mark } });
    this.take('Boot', { seen: { app: event.idx } });
  }

  // The steps; why: what no action explains, and ends them. null: everything is explained.
  explain() {
    const at = this.events.findIndex(({ e }) => e === 'found');
    this.log = walOf(this.events[at]);
    this.state = firstState(this.events[at], this.alone);
    try {
      this.take('Boot', { seen: { app: this.events[at].idx } });
      for (let i = at + 1; i < this.events.length; i++) this.event(this.events[i], i);
    } catch (error) {
      if (!(error instanceof Stuck)) throw error;
      return error.message;
    }
    return null;
  }
}

class Stuck extends Error {}

// ---- a chunk's module

// Indices of a chunk begin at what LevelDB and the log's base both cover when it begins.
function rebased(state) {
  const s = clone(state);
  const by = Math.min(s.dbs[s.cur[0] - 1].idx, s.dbs[last(s.cur) - 1].idx,
    ...s.wal.map(({ base }) => base));
  const less = (i) => Math.max(0, i - by);
  const rows = (list) => list.filter(({ i }) => i > by).map(({ i, t }) => less(i) * 10 + t);
  s.log = s.log.slice(by);
  for (const w of s.wal) Object.assign(w, { base: w.base - by, mark: w.mark - by });
  for (const db of s.dbs)
    Object.assign(db, { rows: rows(db.rows), idx: less(db.idx), hidx: less(db.idx), ht: db.t });
  for (const frozen of s.frz)
    Object.assign(frozen, { rows: rows(frozen.rows), idx: less(frozen.idx), half: false });
  for (const name of ['gone', 'app', 'com', 'prom']) s[name] = less(s[name]);
  for (const job of [s.job, s.inst]) job.idx = less(job.idx);
  s.buf = rows(s.buf);
  return { state: s, by };
}

function tla(value) {
  if (typeof value === 'boolean') return value ? 'TRUE' : 'FALSE';
  if (typeof value === 'string') return `"${value}"`;
  if (Array.isArray(value)) return `<<${value.map(tla).join(', ')}>>`;
  if (typeof value !== 'object') return String(value);
  return `[${Object.entries(value).map(([name, part]) => `${name} |-> ${tla(part)}`).join(', ')}]`;
}

const databaseOf = (db) => tla({ ...db, soft: [] }).replace(/]$/, ', swept |-> {}]');

function initOf(s) {
  const plain = ['log', 'pend', 'term', 'mode', 'wal', 'gone', 'cur', 'app', 'appt', 'com', 'buf',
    'frz', 'dead', 'job', 'inst', 'prom', 'crashes', 'fails'];
  return [...plain.map((name) => `${name} = ${tla(s[name])}`), 'fresh = FALSE', 'losses = 0',
    `dbs = <<${s.dbs.map(databaseOf).join(', ')}>>`, 'pos = 0'].map((line) => `    /\\ ${line}`).join('\n');
}

const CALLS = {
  Propose: 'Propose(e.k)', ProposeAlone: 'ProposeAlone(e.k)', Flush: 'Flush(1)',
  InstallBegin: 'InstallBegin(e.x)', NoSuchAction: 'FALSE /\\ Choose',
};

function recordOf({ a, k, x, seen }, by) {
  const index = (value) => (value === undefined ? NONE : Math.max(0, value - by));
  return tla({
    a, k, x: index(x || by), idx: index(seen.idx), base: index(seen.base), mark: index(seen.mark),
    last: index(seen.last), job: index(seen.job), app: index(seen.app),
  });
}

function moduleOf(name, steps) {
  const { state, by } = rebased(steps[0].before);
  const used = [...new Set(steps.map(({ a }) => a))];
  const model = fs.readFileSync(MODEL, 'utf8').replace(/MODULE SnapshotOrdering/, `MODULE ${name}`)
    .replace(/\nVARIABLES\n/, '\nVARIABLES\n    pos,\n').replace(/\n=+\s*$/, '\n');
  const choices = used.map((a) => `    \\/ (e.a = "${a}") /\\ ${CALLS[a] ?? a}`);
  return `${model}
Trace == <<
    ${steps.map((step) => recordOf(step, by)).join(',\n    ')}
>>
TraceInit ==
${initOf(state)}
TraceStep(e) ==
${choices.join('\n')}
Seen(e) ==
    /\\ (e.idx = ${NONE}) \\/ (dbs'[cur'[Len(cur')]].idx = e.idx)
    /\\ (e.base = ${NONE}) \\/ (wal'[Len(wal')].base = e.base)
    /\\ (e.mark = ${NONE}) \\/ (wal'[Len(wal')].mark = e.mark)
    /\\ (e.last = ${NONE}) \\/ ((wal'[Len(wal')].base + Len(wal'[Len(wal')].ents)) = e.last)
    /\\ (e.job = ${NONE}) \\/ (job'.idx = e.job)
    /\\ (e.app = ${NONE}) \\/ (app' = e.app)
TraceNext ==
    /\\ pos < Len(Trace)
    /\\ pos' = pos + 1
    /\\ TraceStep(Trace[pos + 1])
    /\\ Seen(Trace[pos + 1])
NotAccepted == pos < Len(Trace)
===============================================================================
`;
}

const cfgOf = (alone) => `INIT TraceInit
NEXT TraceNext
CONSTANTS
    MaxIndex = 1000
    Kinds = {"rows", "noop"}
    MaxTerm = 1000
    MaxCrash = 1000
    MaxLoss = 0
    MaxFail = 1000
    Installs = TRUE
    Alone = ${alone ? 'TRUE' : 'FALSE'}
    Gap = "none"
INVARIANTS
    ${INVARIANTS.join('\n    ')}
CHECK_DEADLOCK FALSE
`;

// ---- checking

// null: accepted; else why not.
function judgeChunk(dir, name, steps, alone) {
  const module = path.join(dir, `${name}.tla`), cfg = path.join(dir, `${name}.cfg`);
  fs.writeFileSync(module, moduleOf(name, steps));
  fs.writeFileSync(cfg, cfgOf(alone));
  const child = spawnSync(process.execPath, [path.join(HERE, 'check.mjs'), '--one', module, cfg],
    { encoding: 'utf8', maxBuffer: OUTPUT_MAX });
  if (child.status !== 0) return `the checker fails: ${child.stderr}`;
  const found = JSON.parse(child.stdout);
  if (found.warnings.length > 0) return found.warnings.join('\n');
  if (found.success) {
    const step = steps[found.states_explored - 1];
    return `the model does not do step ${found.states_explored}: ${recordOf(step, 0)} ${step.why}`;
  }
  const number = Number(/^Invariant (\d+) violated/.exec(found.error_message ?? '')?.[1] ?? -1);
  if (INVARIANTS[number] === 'NotAccepted') return null;
  return `${INVARIANTS[number] ?? found.error_message} is violated`;
}

function chunksOf(steps) {
  const chunks = [];
  for (let at = 0; at < steps.length; at += CHUNK_STEPS) chunks.push(steps.slice(at, at + CHUNK_STEPS));
  return chunks;
}

// The first chunk that is not accepted, and why; null: all are.
function judgeRun(dir, name, run) {
  const chunks = chunksOf(run.steps);
  for (const [i, chunk] of chunks.entries()) {
    const why = judgeChunk(dir, `${name}_${i + 1}`, chunk, run.alone);
    if (why !== null) return `chunk ${i + 1} of ${chunks.length}: ${why}`;
  }
  return null;
}

function eventsOf(program, args) {
  const child = spawnSync(program, args, { encoding: 'utf8', maxBuffer: OUTPUT_MAX });
  if (child.error) throw child.error;
  const lines = child.stdout.split('\n');
  const events = lines.filter((line) => line.startsWith('{') && line.endsWith('}')).map(JSON.parse);
  return { events, isGood: child.status === 0, text: child.stderr };
}

function say(number, isOk, name, why) {
  console.log(`${isOk ? 'ok' : 'not ok'} ${number} - ${name}`);
  if (!isOk) for (const line of String(why).trimEnd().split('\n')) console.log(`#   ${line}`);
  return isOk;
}

function main(program) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'quoin-trace-'));
  let isGood = true;
  console.log(`1..${RUNS.length}`);
  for (const [at, [name, bug]] of RUNS.entries()) {
    const told = eventsOf(program, bug ? [name, bug] : [name]);
    const run = new Run(told.events, name === 'alone');
    const stuck = run.explain();
    const why = judgeRun(dir, bug ? `${name}_${bug}` : name, run);
    if (bug) {
      isGood &= say(at + 1, why !== null, `${name} with ${bug} is no behaviour: ${why}`, 'accepted');
      continue;
    }
    const isLong = run.steps.length >= STEPS_MIN;
    const missing = WANTED[name].filter((action) => !run.steps.some(({ a }) => a === action));
    isGood &= say(at + 1, why === null && stuck === null && told.isGood && isLong && !missing.length,
      `${name}: ${told.events.length} events, ${run.steps.length} steps are a behaviour`,
      `${why ?? stuck ?? ''}\nnever taken: ${missing.join(' ')}\n${told.text}`);
  }
  if (process.env.QUOIN_TRACE_KEEP) console.log(`# ${dir}`);
  else fs.rmSync(dir, { recursive: true });
  process.exitCode = isGood ? 0 : 1;
}

main(process.argv[2]);
