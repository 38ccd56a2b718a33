import type { PoolClient } from 'pg';
import { toDatabaseError } from '../../db/database-error.ts';
import { identifier } from '../../db/sql.ts';
import type { Observer } from '../report/event.ts';

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

/**
 * Moves extensions from the tenant's schema to public: each exists once, and other tenants would not find it.
 * @throws TenantctlError DATABASE_ERROR for one that cannot be moved
 */
export async function moveExtensions(client: PoolClient, schema: string, observe: Observer): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT extname::text AS name FROM pg_extension
     WHERE extnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)`,
    [schema],
  );
  for (const { name } of rows) {
    await client.query(`ALTER EXTENSION ${identifier(name)} SET SCHEMA public`).catch((error: unknown) => {
      const hint = `Every tenant needs the extension ${name} in public, and it cannot be moved there: create it in a master migration, CREATE EXTENSION IF NOT EXISTS ${identifier(name)} WITH SCHEMA public.`;
      throw toDatabaseError(error, { hint });
    });
    observe({
      type: 'warning',
      message: `A migration created the extension ${name} in ${schema}; it was moved to public, where every tenant finds it. Better: CREATE EXTENSION ... WITH SCHEMA public, in a master migration.`,
    });
  }
}
