import type { PoolClient } from 'pg';
import type { Around } from '../../db/knex/statement.ts';

/**
 * Statements that wait for transactions to end without anybody waiting behind them, and that leave something half done
 * when they are cut short: an INVALID index, a partition half detached
 * (https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY,
 * https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DETACH-PARTITION).
 */
const PATIENT =
  /^(?:create\s+(?:unique\s+)?index\s+concurrently|drop\s+index\s+concurrently|reindex\b[^]*\bconcurrently|alter\s+table\b[^]*\bdetach\s+partition\b[^]*\bconcurrently)\b/i;

const COMMENTS = /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[^]*?\*\/)+/;

/** Whether a statement may wait for others for as long as it takes. Pure. */
export function isPatient(text: string): boolean {
  return PATIENT.test(text.replace(COMMENTS, ''));
}

/**
 * Sends statements outside a transaction, each with the lock timeout that it should have: that of the session, and none
 * where it is better to wait. A migration that sees to lock_timeout itself is left to it.
 * @param lost nothing is sent any more when it is aborted, whatever the migration makes of errors
 */
export function patientSender(
  client: PoolClient,
  lockTimeoutMs: number,
  lost: AbortSignal | undefined,
): Around {
  let isOwn = false;
  return async (text, send) => {
    lost?.throwIfAborted();
    isOwn ||= /\block_timeout\b/i.test(text);
    if (isOwn || lockTimeoutMs === 0 || !isPatient(text)) return send();
    await client.query('SET lock_timeout = 0');
    try {
      return await send();
    } finally {
      // Where the connection is gone, so is the setting.
      await client.query(`SET lock_timeout = ${lockTimeoutMs}`).catch(() => {});
    }
  };
}
