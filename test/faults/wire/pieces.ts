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
  readonly isFarewell: boolean;
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
  const whole = (name: string) => [{ name, bytes, isFarewell: kind === 'farewell', isLast: true }];
  if (kind === 'startup') return whole('connection');
  if (kind === 'farewell') return whole('farewell');
  if (kind === 'prepared') return whole(nameOf(text));
  const statements = await statementsIn(text);
  const isTransaction = isInTransaction || /^BEGIN\b/i.test(statements[0] ?? '');
  if (passing === 'whole' || !isTransaction || statements.length < 2) return whole(nameOfString(statements));
  return statements.map((statement, at) => ({
    name: nameOf(statement),
    bytes: queryMessage(statement),
    isFarewell: false,
    isLast: at === statements.length - 1,
  }));
}

async function statementsIn(text: string): Promise<string[]> {
  // Forward what PostgreSQL would refuse.
  const parsed = await parseSql(text).catch(() => []);
  return parsed.length === 0 ? [text] : parsed.map((statement) => statement.text);
}
