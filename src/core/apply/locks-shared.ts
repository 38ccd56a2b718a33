import type { PoolClient } from 'pg';

/**
 * Whether this transaction has locked tables of public against other tenants' transactions: a foreign key to
 * a shared table holds ShareRowExclusiveLock on it
 * (https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES).
 */
export async function locksShared(client: PoolClient): Promise<boolean> {
  const { rows } = await client.query(
    `SELECT FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
     WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND c.relkind IN ('r', 'p')
       AND c.relnamespace = to_regnamespace('public')
       AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
     LIMIT 1`,
  );
  return rows.length > 0;
}
