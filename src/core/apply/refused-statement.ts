import { DatabaseError } from 'pg';
import type { LoneStatement } from '../../db/unreadable.ts';
import type { FailedStatement } from '../../db/knex/statement.ts';
import { messageOf } from '../../errors.ts';
import type { Direction, Migration } from '../files/load.ts';
import { fromFirstWord, parseSql } from '../files/parse-sql.ts';

/** A part of an .sql migration's section that was sent as one string. */
export type SentPart = Pick<LoneStatement, 'text' | 'offset' | 'problem'>;

/**
 * Finds the statement of an .sql migration that the server refused.
 * @param section the whole text of the direction
 * @param completed how many statements of the part were completed before
 */
export async function refusedStatement(
  { file: { name }, lines }: Migration,
  direction: Direction,
  section: string,
  part: SentPart,
  completed: number,
  error: unknown,
): Promise<FailedStatement> {
  const statements = await parseSql(part.text).catch(() => []);
  const whole = statements[completed] ?? { text: part.text, offset: 0 };
  const text = fromFirstWord(whole.text);
  const begin = part.offset + whole.offset + whole.text.length - text.length;
  const lineAt = (offset: number) =>
    (lines?.[direction] ?? 1) + section.slice(0, offset).split('\n').length - 1;
  const marked = part.offset + (markedOffset(part.text, error) ?? Number.NaN);
  const isMarked = marked >= begin && marked <= begin + text.length;
  const column = marked - section.lastIndexOf('\n', marked - 1);
  return {
    text,
    values: [],
    error,
    message: messageOf(error),
    at: isMarked ? `${name}:${lineAt(marked)}:${column}` : `${name}:${lineAt(begin)}`,
    line: lineAt(begin),
    offset: isMarked ? marked - begin : undefined,
  };
}

/** The server's position as an offset in UTF-16 units, if there is one. The server counts characters, from 1. */
export function markedOffset(text: string, error: unknown): number | undefined {
  const position = error instanceof DatabaseError ? Number(error.position) : 0;
  if (!Number.isInteger(position) || position < 1) return undefined;
  let offset = 0;
  for (let left = position - 1; left > 0 && offset < text.length; left -= 1)
    offset += (text.codePointAt(offset) ?? 0) > 0xffff ? 2 : 1;
  return offset;
}
