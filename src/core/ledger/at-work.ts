import { lockKey } from '../../db/transaction.ts';

/** The name of the lock that a run holds while it is at work. */
export function lockOfRun(id: number): string {
  return `run:${id}`;
}

/**
 * The expression that says whether a run, a row of tenantctl.runs, is at work: it has no end, and somebody holds its
 * lock. How the 64 bits of an advisory lock are shown: https://www.postgresql.org/docs/current/view-pg-locks.html.
 * @param run the row's alias
 */
export function isAtWork(run: string): string {
  const key = lockKey(`'run:' || ${run}.id`);
  return `(${run}.ended_at IS NULL AND EXISTS (
    SELECT FROM pg_locks l
    WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND l.classid = ((${key} >> 32) & 4294967295)::text::oid AND l.objid = (${key} & 4294967295)::text::oid))`;
}
