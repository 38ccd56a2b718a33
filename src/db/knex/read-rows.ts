import type { QueryConfig, QueryResult } from 'pg';
import { identifier } from '../sql.ts';
import type { StreamedQuery, StreamOptions } from './migration-client.ts';

/** The default of pg-query-stream. */
const DEFAULT_BATCH = 100;

/** Only these can have a cursor; other statements that return rows also change some. */
const IS_QUERY = /^\s*(?:select|values|table|with)\b(?![^]*\b(?:insert|update|delete|merge)\b)/i;

/**
 * Reads the rows of a query in batches, by a cursor. Between two batches the connection is free for the reader's own
 * statements; with pg-query-stream they would wait forever.
 * @param isHeld for a connection without a transaction: the server keeps the rows
 */
export async function* readRows(
  send: (config: QueryConfig) => Promise<QueryResult<object>>,
  { sql, bindings = [] }: StreamedQuery,
  { batchSize = DEFAULT_BATCH, ...answer }: StreamOptions,
  cursor: { readonly name: string; readonly isHeld: boolean },
): AsyncGenerator<object> {
  const values = [...bindings];
  if (!IS_QUERY.test(sql)) {
    const { rows } = await send({ ...answer, text: sql, values });
    for (const row of rows) yield row;
    return;
  }
  const name = identifier(cursor.name);
  const hold = cursor.isHeld ? 'WITH HOLD ' : '';
  await send({ text: `DECLARE ${name} NO SCROLL CURSOR ${hold}FOR ${sql}`, values });
  try {
    for (;;) {
      const { rows } = await send({ ...answer, text: `FETCH ${batchSize} FROM ${name}` });
      for (const row of rows) yield row;
      if (rows.length < batchSize) break;
    }
  } finally {
    // Fails only with its transaction.
    await send({ text: `CLOSE ${name}` }).catch(() => {});
  }
}
