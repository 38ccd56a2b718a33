/** A line of an SQL text. */
export interface SqlLine {
  readonly text: string;
  /** It begins outside every literal, quoted name and block comment. */
  readonly isCode: boolean;
  /** What it begins in is not ended anywhere in the text. */
  readonly isUnended: boolean;
}

/** Letters, _ and all beyond ASCII begin a name; digits and $ may follow. */
const NAME = String.raw`[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*`;
const TAG = String.raw`(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?`;
const ESCAPED = String.raw`[^'\\]*(?:(?:''|\\[^])[^'\\]*)*`;
/** Strings with a line break between them are one, and escapes hold in all of it; comments may stand there, too, but no
 * marker of ours. */
const CONTINUES = String.raw`(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:\s|--(?!\s*migrate:)[^\n\r]*[\n\r])*`;

/**
 * One token, as PostgreSQL's lexer cuts them
 * (https://www.postgresql.org/docs/current/sql-syntax-lexical.html): a comment to the end of the line, the opening of a
 * block comment, a string with and without backslash escapes, a quoted name, a dollar-quoted string, a name, or one
 * character. What is not ended goes to the end of the text. A backslash escapes in E'…' alone, as it does with
 * standard_conforming_strings on.
 */
const TOKEN = new RegExp(
  [
    String.raw`--[^\n\r]*`,
    String.raw`\/\*`,
    `E'${ESCAPED}(?:'${CONTINUES}'${ESCAPED})*(?<escapedEnd>')?`,
    String.raw`'[^']*(?:''[^']*)*(?<stringEnd>')?`,
    String.raw`"[^"]*(?:""[^"]*)*(?<nameEnd>")?`,
    String.raw`\$(?<tag>${TAG})\$(?:[^]*?(?<dollarEnd>\$\k<tag>\$)|[^]*)`,
    NAME,
    '[^]',
  ].join('|'),
  'iy',
);

/** The groups of TOKEN that match where something ends: one name for all needs Node 24. */
const ENDS = ['escapedEnd', 'stringEnd', 'nameEnd', 'dollarEnd'] as const;

/**
 * The lines of an SQL text, each with whether it begins in code: whether what looks like a comment at its beginning
 * is one.
 */
export function codeLines(text: string): SqlLine[] {
  /** By line: it begins in code, within something, or within something without an end. */
  const inside: ('code' | 'inside' | 'unended')[] = ['code'];
  for (let at = 0; at < text.length;) {
    const { end, isEnded } = tokenAt(text, at);
    const breaks = lineBreaksIn(text, at, end);
    // The line break behind a token is a token itself: the line that it begins is one of code.
    const isBreak = text[at] === '\n';
    for (let each = 0; each < breaks; each += 1)
      inside.push(isBreak ? 'code' : isEnded ? 'inside' : 'unended');
    at = end;
  }
  return text.split('\n').map((line, index) => ({
    text: line,
    isCode: inside[index] === 'code',
    isUnended: inside[index] === 'unended',
  }));
}

function tokenAt(text: string, at: number): { readonly end: number; readonly isEnded: boolean } {
  TOKEN.lastIndex = at;
  const match = TOKEN.exec(text);
  const token = match?.[0] ?? '';
  if (token === '/*') return blockComment(text, at);
  const isQuoted = /^(?:E?'|"|\$[^]*\$)/i.test(token);
  const isEnded = !isQuoted || ENDS.some((end) => match?.groups?.[end] !== undefined);
  return { end: at + Math.max(1, token.length), isEnded };
}

/** Block comments nest. */
function blockComment(text: string, at: number): { readonly end: number; readonly isEnded: boolean } {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = at;
  let depth = 0;
  for (let match = mark.exec(text); match !== null; match = mark.exec(text)) {
    depth += match[0] === '/*' ? 1 : -1;
    if (depth === 0) return { end: mark.lastIndex, isEnded: true };
  }
  return { end: text.length, isEnded: false };
}

function lineBreaksIn(text: string, start: number, end: number): number {
  let count = 0;
  for (let at = text.indexOf('\n', start); at !== -1 && at < end; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}
