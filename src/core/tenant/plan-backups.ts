import type { Database } from '../../db/database.ts';
import { ESTIMATED_ROWS } from '../fleet/estimated-rows.ts';
import { readSchemaSizes } from '../fleet/schema-sizes.ts';
import { checkCall } from '../options/check-call.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { lockTableOf } from '../target/history.ts';
import { selectBackups } from './backup.ts';
import type { Backups, BackupResult } from './backup-result.ts';

export interface PlannedBackup {
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly tables: number;
  /** As the server estimates them. */
  readonly rows: number;
  /** On the server's disk, with indexes; null if they could not be measured. A backup is usually smaller. */
  readonly bytes: number | null;
}

export interface BackupPlan extends Pick<Backups, 'notBackedUp'> {
  readonly planned: readonly PlannedBackup[];
  /** Tenants that were asked for and cannot be backed up. */
  readonly refused: readonly BackupResult[];
}

/**
 * What backupTenants would write; nothing is written.
 * @param options.tenants organization ids or schema names; all ACTIVE and SUSPENDED tenants if absent
 * @throws TenantctlError TENANT_UNKNOWN, REGISTRY_ABSENT, REGISTRY_INVALID
 */
export async function planBackups(
  database: Database,
  given: { readonly tenants?: readonly string[] | undefined } = {},
): Promise<BackupPlan> {
  const { tenants: names } = checkCall(database, given);
  await assertRegistry(database);
  const { tasks, results, notBackedUp } = await selectBackups(database, names);
  const schemas = tasks.map(({ schema }) => schema);
  const sizes = await readSchemaSizes(database, schemas);
  const { rows } = await database.query<{ schema: string; tables: number; rows: string }>(
    `SELECT n.nspname::text AS schema, count(*)::integer AS tables, sum(${ESTIMATED_ROWS})::bigint AS rows
     FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r'
     WHERE n.nspname = ANY ($1::name[]) AND c.relname <> $2 GROUP BY 1`,
    [schemas, lockTableOf(database.names.tenantHistory)],
  );
  const estimates = new Map(rows.map((row) => [row.schema, row]));
  const planned = tasks.map(({ clerkOrgId, schema }) => {
    const estimate = estimates.get(schema);
    const bytes = sizes.bytes.get(schema) ?? null;
    return { clerkOrgId, schema, tables: estimate?.tables ?? 0, rows: Number(estimate?.rows ?? 0), bytes };
  });
  return { planned, refused: results, notBackedUp };
}
