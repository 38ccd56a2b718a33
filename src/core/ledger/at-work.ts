import { lockKey } from '../../db/transaction.ts';

/**
 * The expression that says whether a run, a row of tenantctl.runs, is at work: it has no end, and its process still
 * holds the lock of the lease (src/db/lease.ts). Before version 8 of the tables each run had a lock of its own; a
 * database that has not been upgraded has no column `lease`. How the 64 bits of an advisory lock are shown:
 * https://www.postgresql.org/docs/current/view-pg-locks.html.
 * @param run the row's alias
 */
export function isAtWork(run: string): string {
  const key = lockKey(`coalesce('lease:' || (to_jsonb(${run}) ->> 'lease'), 'run:' || ${run}.id)`);
  return `(${run}.ended_at IS NULL AND EXISTS (
    SELECT FROM pg_locks l
    WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND l.classid = ((${key} >> 32) & 4294967295)::text::oid AND l.objid = (${key} & 4294967295)::text::oid))`;
}
