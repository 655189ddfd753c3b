// The subset of TLA+ on which TLC and tla-checker were found to agree; why: tla/README.md.
//
// lint(text) gives one line for each place that leaves it. It looks at tokens, not at a parse tree:
// a *level* is what stands between a pair of brackets, or one bullet of a list, and the infix
// operators that meet on one level must not be of kinds whose precedence the two tools read
// differently.

const ARROWS = new Set(['=>', '<=>', '\\equiv']);
const JUNCTIONS = new Set(['/\\', '\\/']);
const SET_OPERATORS = new Set(['\\cup', '\\cap', '\\union', '\\intersect', '\\']);
const PRODUCTS = new Set(['\\X', '\\times']);
const DIVISIONS = new Set(['%', '\\div']);
const OPENING = new Set(['(', '[', '{', '<<']);
const CLOSING = new Set([')', ']', '}', '>>']);
const STARTS_A_LEVEL = new Set(['|->', ':', 'THEN', 'ELSE', 'IN', '==', 'IF']);
const BEFORE_A_BULLET = new Set(['==', ':', 'THEN', 'ELSE', 'IN', '(', '=>', '/\\', '\\/', '->', '<=>']);
const FORBIDDEN = new Set(['ENABLED', 'INSTANCE', '\\cdot', 'RECURSIVE']);
const STANDARD_MODULES = new Set(['Naturals', 'Sequences', 'FiniteSets']);

const TOKEN = new RegExp('\\s*(' + [
  '\\\\\\*[^\\n]*', '"(?:[^"\\\\]|\\\\.)*"', '\\\\[A-Za-z]+', '<=>', '=>', '==+', '\\|->', '->', '<-', '<<', '>>',
  '\\.\\.', '/\\\\', '\\\\/', '/=', '<=', '>=', '=<', '~>', '\\[\\]', '<>', '[A-Za-z_]\\w*!?', '\\d+', '---+', '\\S',
].join('|') + ')', 'y');

function tokensOf(text) {
  const source = text.replace(/\(\*[\s\S]*?\*\)/g, (comment) => comment.replace(/[^\n]/g, ' '));
  const tokens = [];
  let line = 1, lineStart = 0, at = 0, lastLine = 0;
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(source); match !== null; match = TOKEN.exec(source)) {
    const start = TOKEN.lastIndex - match[1].length;
    for (; at < start; at++) if (source[at] === '\n') { line++; lineStart = at + 1; }
    if (match[1].startsWith('\\*')) continue;
    tokens.push({ text: match[1], line, column: start - lineStart, isFirst: line !== lastLine });
    lastLine = line;
  }
  return tokens;
}

// Whether two infix operators may meet on one level without parentheses.
function clash(a, b) {
  if (ARROWS.has(a) && (ARROWS.has(b) || JUNCTIONS.has(b))) return true;
  if (JUNCTIONS.has(a) && JUNCTIONS.has(b)) return a !== b;
  if (SET_OPERATORS.has(a) && SET_OPERATORS.has(b)) return a !== b || a === '\\';
  if (SET_OPERATORS.has(a) && (b === '..' || PRODUCTS.has(b))) return true;
  if (PRODUCTS.has(a) && PRODUCTS.has(b)) return true;
  return DIVISIONS.has(a) && (DIVISIONS.has(b) || b === '*');
}

class Linter {
  constructor(text) {
    this.tokens = tokensOf(text);
    this.findings = [];
    this.variableBlocks = 0;
    this.restart();
  }

  restart() { this.levels = [{ kind: 'top', operators: [] }]; }

  get level() { return this.levels[this.levels.length - 1]; }

  find(token, what) { this.findings.push(`${token.line}:${token.column + 1}: ${what}`); }

  operator(token) {
    const other = this.level.operators.find((o) => clash(o, token.text) || clash(token.text, o));
    if (other !== undefined) this.find(token, `parenthesize: ${other} and ${token.text} meet on one level`);
    this.level.operators.push(token.text);
  }

  bullet(token, before) {
    if (before === '(') this.find(token, 'a bullet list directly behind a parenthesis');
    while (this.level.kind === 'bullet' && this.level.column > token.column) this.levels.pop();
    if (this.level.kind === 'bullet' && this.level.column === token.column) {
      if (this.level.junction !== token.text) this.find(token, 'two kinds of bullets in one column');
      this.levels.pop();
    }
    this.levels.push({ kind: 'bullet', column: token.column, junction: token.text, operators: [] });
  }

  close() {
    while (this.levels.length > 1 && this.level.kind !== 'bracket') this.levels.pop();
    if (this.levels.length > 1) this.levels.pop();
  }

  // LET and CASE swallow the bullets behind them, unless they are a whole definition or in brackets.
  letOrCase(token, before) {
    const bullet = this.levels.findLastIndex((level) => level.kind === 'bullet');
    const bracket = this.levels.findLastIndex((level) => level.kind === 'bracket');
    if (bullet > bracket && before !== '(' && before !== 'IN') this.find(token, `${token.text} inside a bullet`);
    this.level.operators = [];
  }

  definition(token) {
    this.restart();
    if (/^VARIABLES?$/.test(token.text) && ++this.variableBlocks > 1) this.find(token, 'a second VARIABLES');
  }

  extended(index) {
    for (let i = index + 1; /^\w+$|^,$/.test(this.tokens[i]?.text ?? '') && !this.tokens[i].isFirst; i++)
      if (this.tokens[i].text !== ',' && !STANDARD_MODULES.has(this.tokens[i].text))
        this.find(this.tokens[i], `module ${this.tokens[i].text} is not in the subset`);
  }

  step(token, index) {
    const before = this.tokens[index - 1]?.text ?? '';
    if (/^(-{4,}|={4,})$/.test(token.text)) return this.restart();
    if (token.isFirst && token.column === 0 && /^[A-Za-z_]/.test(token.text)) this.definition(token);
    if (FORBIDDEN.has(token.text)) this.find(token, `${token.text} is not in the subset`);
    if (token.text === 'EXTENDS') return this.extended(index);
    if (JUNCTIONS.has(token.text) && (token.isFirst || BEFORE_A_BULLET.has(before))) return this.bullet(token, before);
    if (token.isFirst) while (this.level.kind === 'bullet' && token.column <= this.level.column) this.levels.pop();
    if (OPENING.has(token.text)) return this.levels.push({ kind: 'bracket', operators: [] });
    if (CLOSING.has(token.text)) return this.close();
    if (token.text === ',' || STARTS_A_LEVEL.has(token.text)) this.level.operators = [];
    if (token.text === 'LET' || token.text === 'CASE') this.letOrCase(token, before);
    if ([ARROWS, JUNCTIONS, SET_OPERATORS, PRODUCTS, DIVISIONS].some((set) => set.has(token.text))
      || token.text === '..' || token.text === '*') this.operator(token);
    return undefined;
  }
}

export function lint(text) {
  const linter = new Linter(text);
  linter.tokens.forEach((token, index) => linter.step(token, index));
  return linter.findings;
}
