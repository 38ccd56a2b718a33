import type { Database } from '../../../db/database.ts';
import { estimatedRows as rowsOf } from '../../fleet/estimated-rows.ts';
import { readSchemaSizes } from '../../fleet/schema-sizes.ts';
import type { Tenant } from '../../registry/registry.ts';

/** What goes with a tenant. */
export interface Loss {
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly status: string;
  /** With partitions and the history tables. */
  readonly tables: number;
  /** As PostgreSQL estimates them; null if they are on a node. */
  readonly estimatedRows: number | null;
  /** With indexes and TOAST tables; null if they could not be measured. */
  readonly bytes: number | null;
  /** Its role of its own; null if it has none, or if the role stays. */
  readonly role: string | null;
}

/** Two queries for all tenants. */
export async function readLosses<Known extends Pick<Tenant, 'clerkOrgId' | 'schema' | 'status'>>(
  database: Database,
  tenants: readonly Known[],
  roleOf: (tenant: Known) => string | undefined,
): Promise<Loss[]> {
  const schemas = tenants.map(({ schema }) => schema);
  const { bytes } = await readSchemaSizes(database, schemas);
  const { rows } = await database.query<{ schema: string; tables: number; rows: number | null }>(
    `SELECT n.nspname::text AS schema, count(*)::int AS tables, (sum(${rowsOf(database)}) FILTER (WHERE c.relkind = 'r'))::float8 AS rows
     FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p')
     WHERE n.nspname = ANY ($1::name[]) GROUP BY 1`,
    [schemas],
  );
  const counted = new Map(rows.map((row) => [row.schema, row]));
  return tenants.map((tenant) => {
    const { clerkOrgId, schema, status } = tenant;
    const { tables, rows: estimatedRows } = counted.get(schema) ?? { tables: 0, rows: 0 };
    return {
      clerkOrgId,
      schema,
      status,
      tables,
      estimatedRows,
      bytes: bytes.get(schema) ?? null,
      role: roleOf(tenant) ?? null,
    };
  });
}
