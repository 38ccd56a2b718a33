import type { PoolClient } from 'pg';
import { fromFirstWord } from '../files/parse-sql.ts';
import type { Around } from '../../db/knex/statement.ts';

/**
 * Statements that block nobody while they wait for other transactions, but leave something half done if
 * cancelled: an INVALID index, a partition half detached
 * (https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY,
 * https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DETACH-PARTITION).
 */
const PATIENT =
  /^(?:create\s+(?:unique\s+)?index\s+concurrently|drop\s+index\s+concurrently|reindex\b[^]*\bconcurrently|alter\s+table\b[^]*\bdetach\s+partition\b[^]*\bconcurrently)\b/i;

/** Whether a statement may wait without a limit. Pure. */
export function isPatient(text: string): boolean {
  return PATIENT.test(fromFirstWord(text));
}

/** Lifts the lock timeout for patient statements. @param lost once aborted, nothing more is sent */
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
      // If the connection is lost, so is the setting.
      await client.query(`SET lock_timeout = ${lockTimeoutMs}`).catch(() => {});
    }
  };
}
