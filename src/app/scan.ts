/** SQL text without what may hide a word of it. */
export interface ScannedSql {
  /** Without comments; the literal with the index 3 is written `'3'`. */
  readonly code: string;
  /** Contents of the literals, dollar-quoted ones too. */
  readonly literals: readonly string[];
}

/** What begins a part that is not code. `$1` is a parameter, and `a$b$c` is a name. */
const OPENING = /'|"|--|\/\*|(?<![\w$\u0080-\uffff])\$(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/gi;

/**
 * Separates code from comments and literals. Pure. It expects `standard_conforming_strings`, the default.
 * Rules: https://www.postgresql.org/docs/current/sql-syntax-lexical.html
 */
export function scan(text: string): ScannedSql {
  const opening = new RegExp(OPENING);
  const literals: string[] = [];
  let code = '';
  let from = 0;
  for (let found = opening.exec(text); found !== null; found = opening.exec(text)) {
    const { index } = found;
    const [mark] = found;
    const start = index + mark.length;
    const { end, next } = endOf(
      text,
      mark,
      start,
      /(?:^|[^\w$])e$/i.test(text.slice(Math.max(0, index - 2), index)),
    );
    code += text.slice(from, index);
    if (mark === '"') code += text.slice(index, next);
    else if (mark === '--' || mark === '/*') code += ' ';
    else code += `'${literals.push(text.slice(start, end)) - 1}'`;
    from = opening.lastIndex = next;
  }
  return { code: code + text.slice(from), literals };
}

/** Where the content of a part ends, and where the code goes on. */
function endOf(
  text: string,
  mark: string,
  start: number,
  hasEscapes: boolean,
): { end: number; next: number } {
  if (mark === '/*') return endOfComment(text, start);
  if (mark === "'" || mark === '"') return endOfQuoted(text, mark, start, mark === "'" && hasEscapes);
  const end = text.indexOf(mark === '--' ? '\n' : mark, start);
  return end === -1
    ? { end: text.length, next: text.length }
    : { end, next: end + (mark === '--' ? 1 : mark.length) };
}

/** Comments may contain comments. */
function endOfComment(text: string, start: number): { end: number; next: number } {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = start;
  let depth = 1;
  for (let found = marks.exec(text); found !== null; found = marks.exec(text)) {
    depth += found[0] === '/*' ? 1 : -1;
    if (depth === 0) return { end: found.index, next: marks.lastIndex };
  }
  return { end: text.length, next: text.length };
}

/** A doubled quote is a quote within. */
function endOfQuoted(
  text: string,
  quote: string,
  start: number,
  hasEscapes: boolean,
): { end: number; next: number } {
  let at = start;
  for (;;) {
    const end = text.indexOf(quote, at);
    if (end === -1) return { end: text.length, next: text.length };
    if (hasEscapes && isEscaped(text, start, end)) at = end + 1;
    else if (text[end + 1] === quote) at = end + 2;
    else return { end, next: end + 1 };
  }
}

function isEscaped(text: string, start: number, at: number): boolean {
  let backslashes = 0;
  while (at - backslashes > start && text[at - backslashes - 1] === '\\') backslashes += 1;
  return backslashes % 2 === 1;
}
