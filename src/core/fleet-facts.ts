import type { QueryResultRow } from 'pg';
import type { Database } from '../db/connection.ts';
import { literal } from '../db/sql.ts';
import { withTransaction } from '../db/transaction.ts';
import { TENANT_HISTORY, lockTableOf } from './migrations/history.ts';
import type { RegisteredTenant } from './registry.ts';
import { STAMPS_SINCE } from './state.ts';

/** Tenants that the registry, the catalog and their stamps say the same of. */
export interface TenantGroup {
  readonly key: string;
  readonly status: string;
  readonly hasSchema: boolean;
  /** The digest of their history as their stamps have it; null where there is no stamp to be trusted. */
  readonly digest: string | null;
  /** Something is remembered of them: a failure, or an intent. */
  readonly isNoted: boolean;
  readonly count: number;
}

/** A tenant with its stamp. */
export interface StampedTenant extends RegisteredTenant {
  /** The digest of its history; null where there is no stamp to be trusted. */
  readonly digest: string | null;
}

export interface Scope {
  /** Say when the registry's rows were made and changed: not every registry does, so each row is taken apart for it. */
  readonly withTimes?: boolean | undefined;
  /** The version of the tenantctl schema; 0 where there is none. */
  readonly stateVersion: number;
  /** The tenants that are looked at, as the registry has them; all of them where absent. */
  readonly only?: readonly { readonly clerkOrgId: string; readonly schema: string }[] | undefined;
}

/** How many tenants one query returns. */
const PAGE = 5_000;

const UNIT = '\u001f';
const ID = `coalesce(t.clerk_org_id, '') COLLATE "C"`;
const SCHEMA = `coalesce(t.schema_name, '') COLLATE "C"`;
const KEY = `concat_ws('${UNIT}', coalesce(t.status::text, ''), n.oid IS NOT NULL, s.digest IS NOT NULL, s.digest, noted.it_is)`;

/**
 * The fleet at a glance: one query, whatever the number of tenants, and one row for each kind of them. Reads the
 * registry, the catalog and the stamps, and opens no table of a tenant.
 */
export async function readGroups(database: Database, scope: Scope): Promise<TenantGroup[]> {
  const rows = await read<{
    key: string;
    status: string;
    has_schema: boolean;
    digest: string | null;
    is_noted: boolean;
    count: number;
  }>(
    database,
    `SELECT ${KEY} AS key, coalesce(t.status::text, '') AS status, n.oid IS NOT NULL AS has_schema,
            s.digest::text AS digest, noted.it_is AS is_noted, count(*)::int AS count
     FROM public.tenants t ${joins(scope)}
     WHERE ${among(scope)}
     GROUP BY 1, 2, 3, 4, 5
     ORDER BY 1`,
  );
  return rows.map((row) => ({
    key: row.key,
    status: row.status,
    hasSchema: row.has_schema,
    digest: row.digest,
    isNoted: row.is_noted,
    count: row.count,
  }));
}

/**
 * The tenants of all groups but some, one by one, by organization id, in pages of some thousand. Groups are left out,
 * not asked for: a tenant that has become another since they were counted is not missed.
 */
export async function* readMembers(
  database: Database,
  scope: Scope,
  groups: readonly TenantGroup[],
  isLeftOut: (group: TenantGroup) => boolean = () => false,
): AsyncGenerator<StampedTenant[]> {
  const total = countIn(groups.filter((group) => !isLeftOut(group)));
  if (total === 0) return;
  const leftOut = groups.filter(isLeftOut).map(({ key }) => literal(key));
  const bounds = total <= PAGE ? [] : await readBounds(database);
  for (let page = 0; page <= bounds.length; page += 1) {
    const above = bounds[page - 1];
    const upTo = bounds[page];
    const rows = await read<MemberRow>(
      database,
      `SELECT coalesce(t.clerk_org_id, '') AS clerk_org_id, coalesce(t.schema_name, '') AS schema_name,
              coalesce(t.status::text, '') AS status,
              ${timeOf(scope, 'created_at')} AS created_at, ${timeOf(scope, 'updated_at')} AS updated_at,
              n.oid IS NOT NULL AS has_schema, h.oid IS NOT NULL AS has_history, l.oid IS NOT NULL AS has_lock,
              s.digest::text AS digest
       FROM public.tenants t ${joins(scope)}
       LEFT JOIN pg_class h ON h.relnamespace = n.oid AND h.relname = ${literal(TENANT_HISTORY)} AND h.relkind IN ('r', 'p')
       LEFT JOIN pg_class l ON l.relnamespace = n.oid AND l.relname = ${literal(lockTableOf(TENANT_HISTORY))} AND l.relkind IN ('r', 'p')
       WHERE ${among(scope)} ${leftOut.length === 0 ? '' : `AND ${KEY} NOT IN (${leftOut.join(', ')})`}
         ${above === undefined ? '' : `AND (${ID}, ${SCHEMA}) > (${literal(above.id)}, ${literal(above.schema)})`}
         ${upTo === undefined ? '' : `AND (${ID}, ${SCHEMA}) <= (${literal(upTo.id)}, ${literal(upTo.schema)})`}
       ORDER BY ${ID}, ${SCHEMA}`,
    );
    yield rows.map(toMember);
  }
}

/** How many tenants there are in groups. */
export function countIn(groups: readonly TenantGroup[]): number {
  return groups.reduce((sum, { count }) => sum + count, 0);
}

interface Bound {
  readonly id: string;
  readonly schema: string;
}

/** The last tenant of each full page of the registry: pages are cut by names, so that none is missed or seen twice. */
function readBounds(database: Database): Promise<Bound[]> {
  return read<{ id: string; schema: string }>(
    database,
    `SELECT id, schema FROM (
       SELECT ${ID} AS id, ${SCHEMA} AS schema, row_number() OVER (ORDER BY ${ID}, ${SCHEMA}) AS place
       FROM public.tenants t) numbered
     WHERE place % ${PAGE} = 0 ORDER BY place`,
  );
}

function timeOf({ withTimes }: Scope, column: 'created_at' | 'updated_at'): string {
  return withTimes === true ? `(to_jsonb(t) ->> '${column}')::timestamptz` : 'NULL::timestamptz';
}

function joins({ stateVersion }: Scope): string {
  return [
    'LEFT JOIN pg_namespace n ON n.nspname = t.schema_name::name',
    stateVersion >= STAMPS_SINCE
      ? 'LEFT JOIN tenantctl.trusted_stamps s ON s.schema_oid = n.oid'
      : 'CROSS JOIN (SELECT NULL::uuid AS digest) s',
    stateVersion > 0
      ? `CROSS JOIN LATERAL (
           SELECT EXISTS (SELECT FROM tenantctl.tenant_failures f WHERE f.schema_name = t.schema_name)
               OR EXISTS (SELECT FROM tenantctl.intents i WHERE i.schema_name = t.schema_name) AS it_is) noted`
      : 'CROSS JOIN (SELECT false AS it_is) noted',
  ].join('\n     ');
}

function among({ only }: Scope): string {
  if (only === undefined) return 'true';
  const names = only.map(({ clerkOrgId, schema }) => `(${literal(clerkOrgId)}, ${literal(schema)})`);
  return `(${ID}, ${SCHEMA}) IN (${names.join(', ')})`;
}

/**
 * Compiling a query that runs once costs more than it saves, the more the more tenants there are; and looking for
 * another order of so many joins than the one that is written takes longer than the joins of a thousand tenants.
 */
async function read<Row extends QueryResultRow>(database: Database, query: string): Promise<Row[]> {
  const prelude = ['SET LOCAL jit = off', 'SET LOCAL join_collapse_limit = 1'];
  return withTransaction(database, {}, [...prelude, query], ({ opening }) =>
    Promise.resolve((opening[prelude.length]?.rows ?? []) as Row[]),
  );
}

interface MemberRow {
  readonly clerk_org_id: string;
  readonly schema_name: string;
  readonly status: string;
  readonly created_at: Date | null;
  readonly updated_at: Date | null;
  readonly has_schema: boolean;
  readonly has_history: boolean;
  readonly has_lock: boolean;
  readonly digest: string | null;
}

function toMember(row: MemberRow): StampedTenant {
  return {
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
    digest: row.digest,
  };
}
