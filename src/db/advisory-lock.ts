import { literal } from './sql.ts';

/**
 * An expression that tries to take a transaction-level advisory lock; true on success. It never waits, so
 * callers retry: a waiting statement would block CREATE INDEX CONCURRENTLY in the whole database.
 */
export function tryLock(name: string): string {
  return `pg_try_advisory_xact_lock(${lockKey(literal(name))})`;
}

/** As tryLock, for the session: it outlasts transactions. `pg_advisory_unlock_all()` releases it (CLEAN_SESSION). */
export function tryLockSession(name: string): string {
  return `pg_try_advisory_lock(${lockKey(literal(name))})`;
}

/** The key of the advisory lock. @param name an SQL expression */
export function lockKey(name: string): string {
  return `hashtextextended('tenantctl:' || ${name}, 0)`;
}

/**
 * SQL that tests whether a session holds the lock. For its 64 bits in pg_locks see
 * https://www.postgresql.org/docs/current/view-pg-locks.html. @param name an SQL expression
 */
export function isLocked(name: string): string {
  const key = lockKey(name);
  return `EXISTS (
    SELECT FROM pg_locks l
    WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND l.classid = ((${key} >> 32) & 4294967295)::text::oid AND l.objid = (${key} & 4294967295)::text::oid)`;
}
