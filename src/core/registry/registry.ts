import type { QueryResultRow } from 'pg';
import { checkOptions } from '../options/check-options.ts';
import { literal } from '../../db/sql.ts';
import { TenantctlError } from '../../errors.ts';
import type { Names, TenantStatus } from '../../names.ts';
import { lockTableOf } from '../target/history.ts';
import { registrySql, statusOf } from './registry-sql.ts';
import type { Database } from '../../db/database.ts';

/** A row of the registry. */
export interface Tenant {
  readonly clerkOrgId: string;
  readonly schema: string;
  /** One of STATUSES; or what the registry holds, where it stands for none: such a tenant is left alone. */
  readonly status: TenantStatus | (string & {});
  readonly createdAt: Date | null;
  readonly updatedAt: Date | null;
}

/** A tenant with what the catalog says of its schema. */
export interface RegisteredTenant extends Tenant {
  readonly hasSchema: boolean;
  /** The role that its schema belongs to; null where there is no schema. */
  readonly owner: string | null;
  /** Which of the two history tables its schema has. */
  readonly hasHistory: boolean;
  readonly hasLock: boolean;
}

/** The schema of the tenant in t, as n. */
export function joinSchema(names: Names): string {
  return `LEFT JOIN pg_namespace n ON n.nspname = t.${registrySql(names).schema}::name`;
}

/** The two history tables of the schema in n, as h and l. */
export function joinHistory({ tenantHistory }: Names): string {
  const join = (alias: string, table: string) =>
    `LEFT JOIN pg_class ${alias} ON ${alias}.relnamespace = n.oid AND ${alias}.relname = ${literal(table)} AND ${alias}.relkind IN ('r', 'p')`;
  return `${join('h', tenantHistory)}\n${join('l', lockTableOf(tenantHistory))}`;
}

/**
 * The columns of a RegisteredTenant. to_jsonb tolerates a registry without the timestamps, and costs a look at each whole
 * row: without `withTimes` they are NULL.
 */
export function tenantColumns(names: Names, withTimes: boolean): string {
  const { organization, schema, status } = registrySql(names);
  const timeOf = (column: string) =>
    withTimes
      ? `substring(to_jsonb(t) ->> ${literal(column)} FROM '^\\d+-\\d+-\\d+.*')::timestamptz`
      : 'NULL::timestamptz';
  return `coalesce(t.${organization}::text, '') AS "clerkOrgId", coalesce(t.${schema}::text, '') AS schema,
          ${statusOf(names, `t.${status}`)} AS status,
          ${timeOf(names.columns.created)} AS "createdAt", ${timeOf(names.columns.updated)} AS "updatedAt",
          n.oid IS NOT NULL AS "hasSchema", pg_get_userbyid(n.nspowner)::text AS owner,
          h.oid IS NOT NULL AS "hasHistory", l.oid IS NOT NULL AS "hasLock"`;
}

/** Every tenant with what the catalog says of its schema, by organization id, in one query. */
export async function readTenants(database: Database): Promise<RegisteredTenant[]> {
  const { names } = database;
  const { table, organization } = registrySql(names);
  const { rows } = await database.query<RegisteredTenant & QueryResultRow>(
    `SELECT ${tenantColumns(names, true)} FROM ${table} t ${joinSchema(names)} ${joinHistory(names)}
     ORDER BY t.${organization}::text COLLATE "C"`,
  );
  return rows;
}

/** How many tenants have which status. */
export async function countByStatus(
  database: Database,
): Promise<readonly { readonly status: string; readonly count: number }[]> {
  const { table, status } = registrySql(database.names);
  const { rows } = await database.query<{ status: string; count: number }>(
    `SELECT ${statusOf(database.names, status)} AS status, count(*)::int AS count FROM ${table} GROUP BY 1 ORDER BY 1`,
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
  const { table, organization, schema } = registrySql(database.names);
  const { rows } = await database.query<{ clerkOrgId: string; schema: string }>(
    `SELECT coalesce(${organization}::text, '') AS "clerkOrgId", coalesce(${schema}::text, '') AS schema FROM ${table}
     WHERE ${organization}::text = ANY ($1::text[]) OR ${schema}::text = ANY ($1::text[])
     ORDER BY ${organization}::text COLLATE "C"`,
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
  checkOptions({ names }, 'names');
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
