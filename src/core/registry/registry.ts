import type { QueryResultRow } from 'pg';
import { checkOptions } from '../options/check-options.ts';
import { checkDatabase } from '../options/check-call.ts';
import { literal } from '../../db/sql.ts';
import { TenantctlError } from '../../errors.ts';
import type { Names, TenantStatus, TenantNames } from '../../names.ts';
import { lockTableOf } from '../target/history.ts';
import { registrySql, statusOf } from './registry-sql.ts';
import { SYSTEM_SCHEMA } from './schema-name.ts';
import type { VerbIntent } from '../state/unfinished-verb.ts';
import { readUnfinished } from '../state/verb-intents.ts';
import type { Database } from '../../db/database.ts';

export interface Tenant {
  readonly clerkOrgId: string;
  readonly schema: string;
  /** One of STATUSES, or an unknown value from the registry: tenantctl leaves such tenants alone. */
  readonly status: TenantStatus | (string & {});
  readonly createdAt: Date | null;
  readonly updatedAt: Date | null;
  /** A verb that has begun and not ended, if there is one. No other verb but `drop` may touch the tenant. */
  readonly unfinished?: VerbIntent | undefined;
}

/** What verbs need to know of a tenant before they take its lock. */
export type FoundTenant = Pick<Tenant, 'clerkOrgId' | 'schema' | 'status' | 'unfinished'>;

/** A tenant with catalog facts about its schema. */
export interface RegisteredTenant extends Tenant {
  readonly hasSchema: boolean;
  /** The owner of its schema; null if there is no schema. */
  readonly owner: string | null;
  /** Which of the two history tables exist. */
  readonly hasHistory: boolean;
  readonly hasLock: boolean;
  /** If several rows name its schema: their organizations. Then none of them has a schema. */
  readonly sharedBy?: string | null | undefined;
}

/** Schemas that several rows name, with the first organizations of these rows. */
export type SharedSchemas = ReadonlyMap<string, string>;

/** Without a unique index, the registry may give one schema to several organizations. */
export async function readSharedSchemas(database: Database): Promise<SharedSchemas> {
  const { table, organization, schema } = registrySql(database.names);
  const { rows } = await database.query<{ schema: string; by: string }>(
    `SELECT t.${schema}::text AS schema,
            array_to_string((array_agg('"' || coalesce(t.${organization}::text, '') || '"' ORDER BY t.${organization}::text COLLATE "C"))[:5], ', ')
            || CASE WHEN count(*) > 5 THEN ', ...' ELSE '' END AS by
     FROM ${table} t WHERE t.${schema}::text <> '' GROUP BY 1 HAVING count(*) > 1`,
  );
  return new Map(rows.map((row) => [row.schema, row.by]));
}

/** SQL for `sharedBy` of tenant t. */
function sharedBy(names: Names, shared: SharedSchemas): string {
  if (shared.size === 0) return 'NULL::text';
  return `(${literal(JSON.stringify(Object.fromEntries(shared)))}::jsonb ->> t.${registrySql(names).schema}::text)`;
}

/** Joins the schema of tenant t as n, if it can be a tenant's. */
export function joinSchema(names: Names, shared: SharedSchemas): string {
  const { schema } = registrySql(names);
  return `LEFT JOIN pg_namespace n ON n.nspname = t.${schema}::name AND n.nspname !~ ${literal(SYSTEM_SCHEMA.source)}
     AND ${sharedBy(names, shared)} IS NULL`;
}

/** Joins the two history tables of schema n as h and l. */
export function joinHistory({ tenantHistory }: Names): string {
  const join = (alias: string, table: string) =>
    `LEFT JOIN pg_class ${alias} ON ${alias}.relnamespace = n.oid AND ${alias}.relname = ${literal(table)} AND ${alias}.relkind IN ('r', 'p')`;
  return `${join('h', tenantHistory)}\n${join('l', lockTableOf(tenantHistory))}`;
}

/** to_jsonb tolerates a registry without timestamps but reads whole rows; NULL without `withTimes`. */
export function tenantColumns(names: Names, shared: SharedSchemas, withTimes: boolean): string {
  const { organization, schema, status } = registrySql(names);
  const timeOf = (column: string) =>
    withTimes
      ? `substring(to_jsonb(t) ->> ${literal(column)} FROM '^[0-9]+-[0-9]+-[0-9]+.*')::timestamptz`
      : 'NULL::timestamptz';
  return `coalesce(t.${organization}::text, '') AS "clerkOrgId", coalesce(t.${schema}::text, '') AS schema,
          ${statusOf(names, `t.${status}`)} AS status,
          ${timeOf(names.columns.created)} AS "createdAt", ${timeOf(names.columns.updated)} AS "updatedAt",
          n.oid IS NOT NULL AS "hasSchema", pg_get_userbyid(n.nspowner)::text AS owner,
          h.oid IS NOT NULL AS "hasHistory", l.oid IS NOT NULL AS "hasLock", ${sharedBy(names, shared)} AS "sharedBy"`;
}

/** All tenants with catalog facts about their schemas, by organization id, in one query. */
export async function readTenants(database: Database): Promise<RegisteredTenant[]> {
  checkDatabase(database);
  const { names } = database;
  const { table, organization } = registrySql(names);
  const shared = await readSharedSchemas(database);
  const { rows } = await database.query<RegisteredTenant & QueryResultRow>(
    `SELECT ${tenantColumns(names, shared, true)} FROM ${table} t ${joinSchema(names, shared)} ${joinHistory(names)}
     ORDER BY t.${organization}::text COLLATE "C"`,
  );
  return withUnfinished(database, rows);
}

/** Adds what has not ended of them. */
export async function withUnfinished<T extends { readonly schema: string }>(
  database: Database,
  tenants: readonly T[],
): Promise<(T & Pick<Tenant, 'unfinished'>)[]> {
  if (tenants.length === 0) return [];
  const verbs = await readUnfinished(database);
  if (verbs.size === 0) return [...tenants];
  return tenants.map((tenant) => {
    const unfinished = verbs.get(tenant.schema);
    return unfinished === undefined ? tenant : { ...tenant, unfinished };
  });
}

/** The ACTIVE tenants, or those that are named, whatever their status. @throws TenantctlError TENANT_UNKNOWN */
export async function readActiveOrNamed(
  database: Database,
  names: readonly string[] | undefined,
): Promise<RegisteredTenant[]> {
  const tenants = await readTenants(database);
  return names === undefined
    ? tenants.filter(({ status }) => status === 'ACTIVE')
    : selectTenants(tenants, names);
}

export async function countByStatus(
  database: Database,
): Promise<readonly { readonly status: string; readonly count: number }[]> {
  const { table, status } = registrySql(database.names);
  const { rows } = await database.query<{ status: string; count: number }>(
    `SELECT ${statusOf(database.names, status)} AS status, count(*)::int AS count FROM ${table} GROUP BY 1 ORDER BY 1`,
  );
  return rows;
}

/** By organization id or schema. @throws TenantctlError TENANT_UNKNOWN, with every unknown name */
export async function findTenants(database: Database, names: readonly string[]): Promise<FoundTenant[]> {
  const { table, organization, schema, status } = registrySql(database.names);
  const { rows } = await database.query<FoundTenant & QueryResultRow>(
    `SELECT coalesce(${organization}::text, '') AS "clerkOrgId", coalesce(${schema}::text, '') AS schema,
            ${statusOf(database.names, status)} AS status
     FROM ${table}
     WHERE ${organization}::text = ANY ($1::text[]) OR ${schema}::text = ANY ($1::text[])
     ORDER BY ${organization}::text COLLATE "C"`,
    [names],
  );
  return withUnfinished(database, selectTenants(rows, names));
}

/**
 * By organization id or schema, in the given order. @throws TenantctlError TENANT_UNKNOWN, with all such
 * names
 */
export function selectTenants<T extends TenantNames>(tenants: readonly T[], names: readonly string[]): T[] {
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

export function tenantUnknown(names: readonly string[]): TenantctlError {
  return new TenantctlError(
    'TENANT_UNKNOWN',
    `The registry has no tenant ${names.map((name) => `"${name}"`).join(', ')}.`,
    {
      hint: 'tenantctl tenant list shows the tenants, with --dropped those that were dropped; give an organization id or a schema name.',
      tenant: names[0],
    },
  );
}
