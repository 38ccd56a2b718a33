import type { QueryResultRow } from 'pg';
import { literal } from '../../db/sql.ts';
import { withTransaction } from '../../db/transaction.ts';
import {
  JOIN_HISTORY,
  JOIN_SCHEMA,
  tenantColumns,
  toTenant,
  type RegisteredTenant,
  type TenantRow,
} from '../registry/registry.ts';
import { STAMPS_SINCE } from '../state/version.ts';
import type { Database } from '../../db/database.ts';

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
  /** Say when the registry's rows were made and changed, which costs a look at each whole row. */
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
      `SELECT ${tenantColumns(scope.withTimes === true)}, s.digest::text AS digest
       FROM public.tenants t ${joins(scope)} ${JOIN_HISTORY}
       WHERE ${among(scope)} ${leftOut.length === 0 ? '' : `AND ${KEY} NOT IN (${leftOut.join(', ')})`}
         ${above === undefined ? '' : `AND (${ID}, ${SCHEMA}) > (${literal(above.id)}, ${literal(above.schema)})`}
         ${upTo === undefined ? '' : `AND (${ID}, ${SCHEMA}) <= (${literal(upTo.id)}, ${literal(upTo.schema)})`}
       ORDER BY ${ID}, ${SCHEMA}`,
    );
    yield rows.map((row) => ({ ...toTenant(row), digest: row.digest }));
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

function joins({ stateVersion }: Scope): string {
  return [
    JOIN_SCHEMA,
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
  // Not a list of pairs: each row would be compared with each of them.
  const all = (names: readonly string[]) => `ARRAY[${names.map(literal).join(', ')}]::text[]`;
  const ids = all(only.map(({ clerkOrgId }) => clerkOrgId));
  const schemas = all(only.map(({ schema }) => schema));
  return `(${ID}, ${SCHEMA}) IN (SELECT * FROM unnest(${ids}, ${schemas}))`;
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

interface MemberRow extends TenantRow, QueryResultRow {
  readonly digest: string | null;
}
