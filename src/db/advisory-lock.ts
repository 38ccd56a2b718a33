import { literal } from './sql.ts';

/**
 * An expression that tries to take a transaction-level advisory lock; true on success. It never waits, so
 * callers retry: a waiting statement would block CREATE INDEX CONCURRENTLY in the whole database.
 */
export function tryLock(name: string): string {
  return `pg_try_advisory_xact_lock(${lockKey(literal(name))})`;
}

/** The key of the advisory lock. @param name an SQL expression */
export function lockKey(name: string): string {
  return `hashtextextended('tenantctl:' || ${name}, 0)`;
}
