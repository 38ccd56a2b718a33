import { parseSql } from '../../../src/core/files/parse-sql.ts';
import { queryMessage } from '../../support/wire/protocol.ts';
import { nameOf, nameOfString } from './names.ts';
import type { Request } from './request.ts';

/** How strings of several statements reach the server: as they were sent, or each statement when the last is done. */
export type Passing = 'whole' | 'statements';

/** What is passed on at once. */
export interface Piece {
  readonly name: string;
  readonly bytes: Buffer;
  /** The client awaits no answer. */
  readonly isFarewell: boolean;
  /** The last of its request: what the server says of its readiness is for the client. */
  readonly isLast: boolean;
}

/**
 * The pieces in which a request is passed on. Statement by statement, the server stands between two statements of a
 * string as it does when its backend is terminated there: everything before is done, nothing behind. That is possible
 * only where it does not change what is one transaction: in an open one, and where the string begins one.
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
  // What PostgreSQL would refuse is passed on for it to refuse.
  const parsed = await parseSql(text).catch(() => []);
  return parsed.length === 0 ? [text] : parsed.map((statement) => statement.text);
}
