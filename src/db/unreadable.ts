import { messageOf } from '../errors.ts';
import { parse, scan } from './parser.ts';

/** A statement of a text that the parser cannot read as a whole. */
export interface LoneStatement {
  readonly text: string;
  /** Where it begins in the text, in UTF-16 units. */
  readonly offset: number;
  /** Its first two words, in lower case. */
  readonly firstWords: string;
  /** The parser's message if it cannot read the statement. */
  readonly problem?: string | undefined;
}

/**
 * Cuts a text that might control the transaction and does not parse: the server may be older or newer than the
 * parser. Each statement must then be sent alone. Returns undefined for any other text.
 */
export type CutUnreadable = (text: string) => Promise<readonly LoneStatement[] | undefined>;

/** Cuts a text at the semicolons that end a statement. Only the lexer reads it. */
export async function cutByTokens(text: string): Promise<LoneStatement[]> {
  const tokens = await scan(text).catch(() => []);
  const bytes = Buffer.from(text);
  const statements: LoneStatement[] = [];
  const cut = async (start: number, end: number, words: readonly string[]) => {
    const whole = bytes.subarray(start, end).toString();
    const statement = whole.trim();
    if (statement === '') return;
    const offset = bytes.subarray(0, start).toString().length + whole.length - whole.trimStart().length;
    const firstWords = words.slice(0, 2).join(' ');
    statements.push({ text: statement, offset, firstWords, problem: await problemOf(statement) });
  };
  let [start, parentheses, blocks] = [0, 0, 0];
  let words: string[] = [];
  for (const token of tokens) {
    if (/^(?:SQL|C)_COMMENT$/.test(token.tokenName)) continue;
    const word = token.text.toLowerCase();
    if (word === '(') parentheses += 1;
    else if (word === ')') parentheses -= 1;
    else if ((word === 'atomic' && words.at(-1) === 'begin') || (blocks > 0 && word === 'case')) blocks += 1;
    else if (blocks > 0 && word === 'end') blocks -= 1;
    if (word !== ';' || parentheses > 0 || blocks > 0) words.push(word);
    else {
      await cut(start, token.start, words);
      start = token.end;
      words = [];
    }
  }
  await cut(start, bytes.length, words);
  return statements;
}

function problemOf(text: string): Promise<string | undefined> {
  return parse(text).then(() => undefined, messageOf);
}
