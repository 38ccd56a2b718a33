import { asLoneStatement, countCompleted } from '../../db/pg-internals.ts';
import type { Seen } from '../../db/knex/statement.ts';
import { fromFirstWord, splitStatements } from '../files/parse-sql.ts';
import { MENTIONS_EXTENSION } from '../statements/extension-statement.ts';
import type { ActionCall } from './action-call.ts';
import { failed } from './action-failure.ts';
import { refusedStatement, type SentPart } from './refused-statement.ts';

/**
 * Sends the text of an .sql migration as a whole; or statement by statement if it runs outside a transaction, may
 * create or drop an extension, or cannot be read by the parser, or if the server needs it so.
 */
export async function runSql(call: ActionCall, sql: string): Promise<Seen> {
  const { client, migration, direction, inTransaction, check, cut, onStatement, recording, around } = call;
  const isSplit = !call.acceptsAnyInStrings || MENTIONS_EXTENSION.test(sql);
  // PostgreSQL runs a string of several statements as one transaction.
  const lone = inTransaction ? await cut(sql) : undefined;
  const whole = [{ text: sql, offset: 0 }];
  const split = () => splitStatements(sql, migration, direction);
  let parts: readonly SentPart[] = lone ?? whole;
  if (!inTransaction) parts = await split();
  else if (lone === undefined && isSplit) parts = await split().catch(() => whole);
  let hasSent = false;
  if (lone !== undefined) await check(sql);
  for (const part of parts) {
    const { text } = part;
    if (fromFirstWord(text) === '') continue;
    hasSent = true;
    if (lone === undefined) await check(text);
    onStatement?.({ text, values: [] });
    const completed = countCompleted(client);
    const isAlone = lone !== undefined || part.problem !== undefined;
    const send = () => {
      recording?.sent({ text, values: [] });
      return client.query(isAlone ? asLoneStatement(text) : text);
    };
    try {
      await around(text, send);
    } catch (error) {
      const at = completed();
      throw failed(call, error, await refusedStatement(migration, direction, sql, part, at, error));
    }
    completed();
  }
  return { failures: [], hasSent, finish() {} };
}
