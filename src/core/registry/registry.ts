import type { QueryResultRow } from 'pg';
import { literal } from '../../db/sql.ts';
import { TenantctlError } from '../../errors.ts';
import { TENANT_HISTORY, lockTableOf, type HistoryTables } from '../target/history.ts';
import type { TenantStatus } from './tenant-status.ts';
import type { Database } from '../../db/database.ts';

/** A row of the registry, public.tenants. */
export interface Tenant {
  readonly clerkOrgId: string;
  readonly schema: string;
  /** One of STATUSES; a registry made by another tool may hold others, which tenantctl leaves alone. */
  readonly status: TenantStatus | (string & {});
  readonly createdAt: Date | null;
  readonly updatedAt: Date | null;
}

/** A tenant with what the catalog says of its schema. */
export interface RegisteredTenant extends Tenant {
  readonly hasSchema: boolean;
  /** The role that its schema belongs to; null where there is no schema. */
  readonly owner: string | null;
  readonly tables: HistoryTables;
}

const REQUIRED_COLUMNS = ['clerk_org_id', 'schema_name', 'status'];

/**
 * Makes sure that the registry is there and has the columns that tenantctl uses.
 * @throws TenantctlError REGISTRY_ABSENT, REGISTRY_INVALID
 */
export async function assertRegistry(database: Database): Promise<void> {
  const columns = await registryColumns(database);
  if (columns === undefined) {
    throw new TenantctlError(
      'REGISTRY_ABSENT',
      'There is no registry: the table public.tenants does not exist.',
      {
        hint: 'Run tenantctl migrate master, which creates it.',
      },
    );
  }
  const missing = REQUIRED_COLUMNS.filter((column) => !columns.includes(column));
  if (missing.length > 0) {
    throw new TenantctlError(
      'REGISTRY_INVALID',
      `The table public.tenants has no column ${missing.join(', ')}.`,
      {
        hint: 'tenantctl needs clerk_org_id, schema_name and status there: tenantctl init writes a migration that creates them.',
      },
    );
  }
}

/** The names of the registry's columns; undefined where there is no registry. */
export async function registryColumns(database: Database): Promise<readonly string[] | undefined> {
  const { rows } = await database.query<{ columns: string[] | null }>(
    `SELECT (SELECT array_agg(attname::text) FROM pg_attribute
             WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns
     FROM pg_class c
     WHERE c.relnamespace = to_regnamespace('public') AND c.relname = 'tenants' AND c.relkind IN ('r', 'p', 'v', 'f')`,
  );
  return rows[0] === undefined ? undefined : (rows[0].columns ?? []);
}

/** A row of the registry, t, beside what the catalog says of its schema: what tenantColumns() select. */
export interface TenantRow {
  readonly clerk_org_id: string;
  readonly schema_name: string;
  readonly status: string;
  readonly created_at: Date | null;
  readonly updated_at: Date | null;
  readonly has_schema: boolean;
  readonly owner: string | null;
  readonly has_history: boolean;
  readonly has_lock: boolean;
}

/** The schema of the tenant in t, as n. */
export const JOIN_SCHEMA = 'LEFT JOIN pg_namespace n ON n.nspname = t.schema_name::name';

/** The two history tables of the schema in n, as h and l. */
export const JOIN_HISTORY = [
  `LEFT JOIN pg_class h ON h.relnamespace = n.oid AND h.relname = ${literal(TENANT_HISTORY)} AND h.relkind IN ('r', 'p')`,
  `LEFT JOIN pg_class l ON l.relnamespace = n.oid AND l.relname = ${literal(lockTableOf(TENANT_HISTORY))} AND l.relkind IN ('r', 'p')`,
].join('\n');

/**
 * The columns of a TenantRow. A NULL is the matter of its own row; to_jsonb tolerates a registry that lacks the
 * timestamps, and takes each row apart for them: without `withTimes` they are NULL.
 */
export function tenantColumns(withTimes: boolean): string {
  const timeOf = (column: string) =>
    `${withTimes ? `(to_jsonb(t) ->> '${column}')::timestamptz` : 'NULL::timestamptz'} AS ${column}`;
  return `coalesce(t.clerk_org_id, '') AS clerk_org_id, coalesce(t.schema_name, '') AS schema_name,
          coalesce(t.status::text, '') AS status, ${timeOf('created_at')}, ${timeOf('updated_at')},
          n.oid IS NOT NULL AS has_schema, pg_get_userbyid(n.nspowner)::text AS owner,
          h.oid IS NOT NULL AS has_history, l.oid IS NOT NULL AS has_lock`;
}

export function toTenant(row: TenantRow): RegisteredTenant {
  return {
    clerkOrgId: row.clerk_org_id,
    schema: row.schema_name,
    status: row.status,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    hasSchema: row.has_schema,
    owner: row.owner,
    tables: {
      schema: row.schema_name,
      table: TENANT_HISTORY,
      hasHistory: row.has_history,
      hasLock: row.has_lock,
    },
  };
}

/** Every tenant with what the catalog says of its schema, by organization id, in one query. */
export async function readTenants(database: Database): Promise<RegisteredTenant[]> {
  const { rows } = await database.query<TenantRow & QueryResultRow>(
    `SELECT ${tenantColumns(true)} FROM public.tenants t ${JOIN_SCHEMA} ${JOIN_HISTORY}
     ORDER BY t.clerk_org_id COLLATE "C"`,
  );
  return rows.map(toTenant);
}

/** How many tenants have which status. */
export async function countByStatus(
  database: Database,
): Promise<readonly { readonly status: string; readonly count: number }[]> {
  const { rows } = await database.query<{ status: string; count: number }>(
    `SELECT coalesce(status::text, '') AS status, count(*)::int AS count FROM public.tenants GROUP BY 1 ORDER BY 1`,
  );
  return rows;
}

/**
 * The tenants of these names, by organization id or schema, without a look at the others.
 * @throws TenantctlError TENANT_UNKNOWN, naming every name that fits nobody
 */
export async function findTenants(
  database: Database,
  names: readonly string[],
): Promise<Pick<Tenant, 'clerkOrgId' | 'schema'>[]> {
  const { rows } = await database.query<{ clerkOrgId: string; schema: string }>(
    `SELECT coalesce(clerk_org_id, '') AS "clerkOrgId", coalesce(schema_name, '') AS schema FROM public.tenants
     WHERE clerk_org_id = ANY ($1::text[]) OR schema_name = ANY ($1::text[])
     ORDER BY clerk_org_id COLLATE "C"`,
    [names],
  );
  return selectTenants(rows, names);
}

/**
 * The tenants that a selection names, by organization id or schema, in the order given.
 * @throws TenantctlError TENANT_UNKNOWN, naming every name that fits nobody
 */
export function selectTenants<T extends Pick<Tenant, 'clerkOrgId' | 'schema'>>(
  tenants: readonly T[],
  names: readonly string[],
): T[] {
  const byId = new Map(tenants.map((tenant) => [tenant.clerkOrgId, tenant]));
  const bySchema = new Map(tenants.map((tenant) => [tenant.schema, tenant]));
  const chosen = new Set<T>();
  const unknown: string[] = [];
  for (const name of names) {
    const tenant = byId.get(name) ?? bySchema.get(name);
    if (tenant === undefined) unknown.push(name);
    else chosen.add(tenant);
  }
  if (unknown.length > 0) throw tenantUnknown(unknown);
  return tenants.filter((tenant) => chosen.has(tenant));
}

/** Nobody has these names. */
export function tenantUnknown(names: readonly string[]): TenantctlError {
  return new TenantctlError(
    'TENANT_UNKNOWN',
    `The registry has no tenant ${names.map((name) => `"${name}"`).join(', ')}.`,
    {
      hint: 'tenantctl tenant list shows the tenants; give an organization id or a schema name.',
      tenant: names[0],
    },
  );
}
