import type { PoolClient } from 'pg';

/**
 * Locks a schema's tables, under the transaction's lock_timeout: every transaction that has used one of them has ended
 * when this returns, readers included, since they may write later. ALTER SCHEMA … RENAME takes no lock on tables: one
 * transaction would write a row under the old name, and the next one under the new. Foreign tables cannot be locked.
 */
export async function lockTables(client: PoolClient, schema: string): Promise<void> {
  const { rows } = await client.query<{ tables: string | null }>(
    `SELECT string_agg(format('ONLY %I.%I', n.nspname, c.relname), ', ' ORDER BY c.oid) AS tables
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relkind IN ('r', 'p')`,
    [schema],
  );
  const tables = rows[0]?.tables ?? null;
  if (tables !== null) await client.query(`LOCK TABLE ${tables} IN ACCESS EXCLUSIVE MODE`);
}
