import { parseSql } from '../../../src/core/files/parse-sql.ts';
import { queryMessage } from '../../support/wire/protocol.ts';
import { nameOf, nameOfString } from './names.ts';
import type { Request } from './request.ts';

/** How multi-statement strings reach the server: whole, or one statement after the other. */
export type Passing = 'whole' | 'statements';

/** A unit that is forwarded at once. */
export interface Piece {
  readonly name: string;
  readonly bytes: Buffer;
  /** The client expects no answer. */
  readonly isSilent: boolean;
  /** The last of its request: its ReadyForQuery is forwarded to the client. */
  readonly isLast: boolean;
}

/**
 * Splits a request. Statement by statement, the server can stop between two statements of a string, as when
 * its backend is terminated there. A string is split only if that keeps its transaction: in an open one, or
 * if the string begins one.
 */
export async function piecesOf(
  request: Request,
  passing: Passing,
  isInTransaction: boolean,
): Promise<readonly Piece[]> {
  const { kind, text, bytes } = request;
  const isSilent = kind === 'farewell' || kind === 'rows' || kind === 'end of rows';
  const whole = (name: string) => [{ name, bytes, isSilent, isLast: true }];
  if (kind === 'startup') return whole('connection');
  if (isSilent) return whole(kind);
  if (kind === 'prepared') return whole(nameOf(text));
  const statements = await statementsIn(text);
  const isTransaction = isInTransaction || /^BEGIN\b/i.test(statements[0] ?? '');
  if (passing === 'whole' || !isTransaction || statements.length < 2) return whole(nameOfString(statements));
  return statements.map((statement, at) => ({
    name: nameOf(statement),
    bytes: queryMessage(statement),
    isSilent: false,
    isLast: at === statements.length - 1,
  }));
}

async function statementsIn(text: string): Promise<string[]> {
  // Forward what PostgreSQL would refuse.
  const parsed = await parseSql(text).catch(() => []);
  return parsed.length === 0 ? [text] : parsed.map((statement) => statement.text);
}
