import type { PoolClient } from 'pg';
import type { Database } from '../../../db/database.ts';
import { withTransaction } from '../../../db/transaction.ts';
import type { Manifest } from '../../backup/manifest.ts';
import { readRecords } from '../../backup/read-records.ts';
import { measureContent } from '../../content/measure-content.ts';
import { readContent } from '../../content/read-content.ts';
import { checkOptions } from '../../options/check-options.ts';
import { tenantNotActive } from '../../registry/not-active.ts';
import { findTenants } from '../../registry/registry.ts';
import { assertRegistry } from '../../registry/registry-shape.ts';
import { compareShapes, type ShapeDifference } from '../../shape/compare-shapes.ts';
import { readShape } from '../../shape/read-shapes.ts';

/** A table whose rows differ; null for the rows of a table that is not there. */
export interface TableDifference {
  readonly table: string;
  /** In the backup. */
  readonly expected: number | null;
  /** In the tenant. The same number as expected if the rows have other values. */
  readonly found: number | null;
}

/** How a tenant differs from a backup. */
export interface BackupComparison {
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly migrations: {
    /** In the backup and not in the tenant's history. */
    readonly missing: readonly string[];
    /** In the tenant's history and not in the backup. */
    readonly extra: readonly string[];
  };
  readonly shape: readonly ShapeDifference[];
  /** By table, the history table included. */
  readonly tables: readonly TableDifference[];
}

/**
 * Compares a tenant with a backup, in one snapshot: migrations, shape, and the rows of each table by number and hash.
 * Applications and migrations go on meanwhile.
 * @param tenant organization id or schema name
 * @throws TenantctlError TENANT_UNKNOWN, TENANT_UNFINISHED, TENANT_NOT_ACTIVE if it is ARCHIVED, SCHEMA_MISSING, RIGHTS_MISSING, CONTENT_UNSUPPORTED, DATABASE_ERROR
 */
export async function compareWithBackup(
  database: Database,
  tenant: string,
  manifest: Manifest,
): Promise<BackupComparison> {
  checkOptions({ tenant }, 'tenant');
  await assertRegistry(database);
  const [found] = await findTenants(database, [tenant]);
  if (found?.status === 'ARCHIVED' || found?.unfinished !== undefined)
    throw tenantNotActive(found, found.status);
  const { clerkOrgId = '', schema = '' } = found ?? {};
  const settings = { statementTimeoutMs: 0, snapshotAfter: [] };
  const now = await withTransaction(database, settings, [], async (transaction) => {
    transaction.abandon();
    return readTenant(database, transaction.client, schema);
  });
  const names = (migrations: Manifest['migrations']) => migrations.map(({ name }) => name);
  return {
    clerkOrgId,
    schema,
    migrations: {
      missing: without(names(manifest.migrations), names(now.migrations)),
      extra: without(names(now.migrations), names(manifest.migrations)),
    },
    shape: compareShapes(manifest.shape, now.shape),
    tables: differentTables(manifest.measures, now.measures),
  };
}

/** Whether nothing differs. Pure. */
export function isAlike({ migrations, shape, tables }: BackupComparison): boolean {
  return [migrations.missing, migrations.extra, shape, tables].every(({ length }) => length === 0);
}

async function readTenant(database: Database, client: PoolClient, schema: string) {
  const content = await readContent(client, schema, database.names);
  const shape = await readShape(client, schema, database);
  const { migrations } = await readRecords(client, schema, database.names);
  const measures = await measureContent(client, schema, content);
  return {
    shape,
    migrations,
    measures: [...measures].map(([table, { rows, hash }]) => ({ table, rows: Number(rows), hash })),
  };
}

function differentTables(expected: Manifest['measures'], found: Manifest['measures']): TableDifference[] {
  const there = new Map(found.map((measure) => [measure.table, measure]));
  const known = new Set(expected.map(({ table }) => table));
  return [
    ...expected
      .filter(({ table, rows, hash }) => there.get(table)?.rows !== rows || there.get(table)?.hash !== hash)
      .map(({ table, rows }) => ({ table, expected: rows, found: there.get(table)?.rows ?? null })),
    ...found
      .filter(({ table }) => !known.has(table))
      .map(({ table, rows }) => ({ table, expected: null, found: rows })),
  ];
}

function without(names: readonly string[], others: readonly string[]): string[] {
  const set = new Set(others);
  return names.filter((name) => !set.has(name));
}
