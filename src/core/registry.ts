import type { Database } from '../db/connection.ts';
import { toDatabaseError } from '../db/database-error.ts';
import { identifier, literal } from '../db/sql.ts';
import { TenantctlError } from '../errors.ts';
import { TENANT_HISTORY, lockTableOf, type HistoryTables } from './migrations/history.ts';
import type { TenantStatus } from './tenant-status.ts';

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

interface TenantRow {
  clerk_org_id: string;
  schema_name: string;
  status: string;
  created_at: Date | null;
  updated_at: Date | null;
  has_schema: boolean;
  has_history: boolean;
  has_lock: boolean;
}

/** Every tenant with what the catalog says of its schema, by organization id, in one query. */
export async function readTenants(database: Database): Promise<RegisteredTenant[]> {
  // to_jsonb tolerates a registry that lacks the timestamps; a NULL is the matter of its own row.
  const { rows } = await database.query<TenantRow>(
    `SELECT coalesce(t.clerk_org_id, '') AS clerk_org_id, coalesce(t.schema_name, '') AS schema_name,
            coalesce(t.status::text, '') AS status,
            (to_jsonb(t) ->> 'created_at')::timestamptz AS created_at,
            (to_jsonb(t) ->> 'updated_at')::timestamptz AS updated_at,
            n.oid IS NOT NULL AS has_schema, h.oid IS NOT NULL AS has_history, l.oid IS NOT NULL AS has_lock
     FROM public.tenants t
     LEFT JOIN pg_namespace n ON n.nspname = t.schema_name::name
     LEFT JOIN pg_class h ON h.relnamespace = n.oid AND h.relname = $1 AND h.relkind IN ('r', 'p')
     LEFT JOIN pg_class l ON l.relnamespace = n.oid AND l.relname = $2 AND l.relkind IN ('r', 'p')
     ORDER BY t.clerk_org_id COLLATE "C"`,
    [TENANT_HISTORY, lockTableOf(TENANT_HISTORY)],
  );
  return rows.map((row) => ({
    clerkOrgId: row.clerk_org_id,
    schema: row.schema_name,
    status: row.status,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    hasSchema: row.has_schema,
    tables: {
      schema: row.schema_name,
      table: TENANT_HISTORY,
      hasHistory: row.has_history,
      hasLock: row.has_lock,
    },
  }));
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

/** An organization's row in the registry, or why it cannot have one. */
export type Registration =
  | { readonly schema: string; readonly status: string; readonly isNew: boolean }
  | { readonly error: TenantctlError };

/**
 * Writes the rows of new tenants with status PROVISIONING, visible at once; an organization that has a row keeps it.
 * @returns by organization id: its row; or SCHEMA_NAME_TAKEN where another organization has that schema name,
 *   SCHEMA_UNREGISTERED where a schema of that name is there and belongs to no tenant (it may hold somebody's data),
 *   or what the registry itself had against the row
 */
export async function registerTenants(
  database: Database,
  wanted: readonly { readonly clerkOrgId: string; readonly schema: string }[],
): Promise<Map<string, Registration>> {
  const values = [wanted.map(({ clerkOrgId }) => clerkOrgId), wanted.map(({ schema }) => schema)];
  let added: ReadonlySet<string>;
  try {
    const { rows } = await database.query<{ clerk_org_id: string }>(
      `INSERT INTO public.tenants (clerk_org_id, schema_name, status)
       SELECT w.id, w.schema, 'PROVISIONING' FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (id, schema, place)
       WHERE NOT EXISTS (SELECT FROM public.tenants t WHERE t.clerk_org_id = w.id)
         AND NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = w.schema)
       ORDER BY w.place
       ON CONFLICT DO NOTHING
       RETURNING clerk_org_id`,
      values,
    );
    added = new Set(rows.map((row) => row.clerk_org_id));
  } catch (error) {
    const [only] = wanted;
    if (only === undefined || wanted.length > 1) return registerOneByOne(database, wanted);
    return new Map([[only.clerkOrgId, { error: toDatabaseError(error, { tenant: only.clerkOrgId }) }]]);
  }
  const { rows } = await database.query<{ clerk_org_id: string; schema_name: string; status: string }>(
    `SELECT clerk_org_id, schema_name, status::text AS status FROM public.tenants
     WHERE clerk_org_id = ANY ($1::text[]) OR schema_name = ANY ($2::text[])`,
    values,
  );
  const byId = new Map(rows.map((row) => [row.clerk_org_id, row]));
  const bySchema = new Map(rows.map((row) => [row.schema_name, row]));
  return new Map(
    wanted.map(({ clerkOrgId, schema }): [string, Registration] => {
      const own = byId.get(clerkOrgId);
      if (own !== undefined) {
        return [clerkOrgId, { schema: own.schema_name, status: own.status, isNew: added.has(clerkOrgId) }];
      }
      const other = bySchema.get(schema)?.clerk_org_id;
      return [
        clerkOrgId,
        {
          error: other === undefined ? unregistered(clerkOrgId, schema) : taken(clerkOrgId, schema, other),
        },
      ];
    }),
  );
}

/** One row that the registry does not take must not keep the others out. */
async function registerOneByOne(
  database: Database,
  wanted: readonly { readonly clerkOrgId: string; readonly schema: string }[],
): Promise<Map<string, Registration>> {
  const all = new Map<string, Registration>();
  for (const one of wanted) {
    for (const [id, registration] of await registerTenants(database, [one])) all.set(id, registration);
  }
  return all;
}

/** Takes back the rows of tenants that were registered and not begun. */
export async function unregisterTenants(
  database: Database,
  tenants: readonly { readonly clerkOrgId: string; readonly schema: string }[],
): Promise<void> {
  if (tenants.length === 0) return;
  await database.query(
    `DELETE FROM public.tenants
     WHERE clerk_org_id = ANY ($1::text[]) AND status::text = 'PROVISIONING'
       AND NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = schema_name)`,
    [tenants.map(({ clerkOrgId }) => clerkOrgId)],
  );
}

function taken(clerkOrgId: string, schema: string, other: string): TenantctlError {
  return new TenantctlError(
    'SCHEMA_NAME_TAKEN',
    `The schema ${schema} of organization "${clerkOrgId}" belongs to organization "${other}" already.`,
    {
      tenant: clerkOrgId,
      hint: 'Two organizations never share a schema, so this one is refused. Nothing was changed.',
    },
  );
}

function unregistered(clerkOrgId: string, schema: string): TenantctlError {
  return new TenantctlError(
    'SCHEMA_UNREGISTERED',
    `The schema ${schema} exists already, and no tenant is registered for it. Nothing was changed.`,
    {
      tenant: clerkOrgId,
      hint:
        `To continue with what it holds, register it and provision again: INSERT INTO public.tenants (clerk_org_id, schema_name, status) ` +
        `VALUES (${literal(clerkOrgId)}, ${literal(schema)}, 'FAILED'); To begin anew: DROP SCHEMA ${identifier(schema)} CASCADE;`,
    },
  );
}
