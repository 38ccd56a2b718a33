import type { QueryResultRow } from 'pg';
import { literal } from '../../db/sql.ts';
import { withTransaction } from '../../db/transaction.ts';
import type { Names } from '../../names.ts';
import { registrySql, statusOf } from '../registry/registry-sql.ts';
import {
  joinHistory,
  joinSchema,
  tenantColumns,
  toTenant,
  type RegisteredTenant,
  type TenantRow,
} from '../registry/registry.ts';
import type { Memory } from '../state/memory.ts';
import { STAMPS_SINCE } from '../state/version.ts';
import type { Database } from '../../db/database.ts';

/** Tenants for which the registry, the catalog, the stamps and tenantctl's records say the same. */
export interface TenantGroup {
  readonly key: string;
  readonly status: string;
  readonly hasSchema: boolean;
  /** Their rows name a schema. */
  readonly namesSchema: boolean;
  /** The digest of their history as their stamps have it; null where there is no trusted stamp. */
  readonly digest: string | null;
  /** A failure is recorded for them. */
  readonly hasFailed: boolean;
  /** An intent is recorded for them: a migration outside a transaction was interrupted, or is running. */
  readonly isInterrupted: boolean;
  /** Both names have changed at once: they may be other tenants than tenantctl knew. */
  readonly isAmbiguous: boolean;
  readonly count: number;
}

/** A tenant with its stamp and with what is recorded about it. */
export type StampedTenant = RegisteredTenant & Omit<TenantGroup, 'key' | 'count'>;

export interface Scope {
  /** Read when the registry's rows were created and updated. This costs a look at each whole row. */
  readonly withTimes?: boolean | undefined;
  /** The version of the tenantctl schema; 0 where there is none. */
  readonly stateVersion: number;
  /** What is remembered of tenants. */
  readonly memory: Memory;
  /** Only these tenants, as the registry has them; all where absent. */
  readonly only?: readonly { readonly clerkOrgId: string; readonly schema: string }[] | undefined;
}

/** How many tenants one query returns. */
const PAGE = 5_000;

const UNIT = '\u001f';

/** What is remembered of a tenant, in SQL. */
const FAILED = 'failed.schema IS NOT NULL';
const INTERRUPTED = 'interrupted.schema IS NOT NULL';
const AMBIGUOUS = 'ambiguous.schema IS NOT NULL';

/** What the queries here are made of, in SQL that has the registry as t. */
function parts(names: Names) {
  const { table, organization, schema, status } = registrySql(names);
  const word = statusOf(names, `t.${status}`);
  const namesSchema = `coalesce(t.${schema}::text, '') <> ''`;
  return {
    table,
    id: `coalesce(t.${organization}::text, '') COLLATE "C"`,
    schema: `coalesce(t.${schema}::text, '') COLLATE "C"`,
    tenantSchema: `t.${schema}::text`,
    namesSchema,
    status: word,
    key: `concat_ws('${UNIT}', ${word}, n.oid IS NOT NULL, ${namesSchema}, s.digest IS NOT NULL, s.digest, ${FAILED}, ${INTERRUPTED}, ${AMBIGUOUS})`,
  };
}

/**
 * Groups the fleet: one query for any number of tenants, and one row for each group. Reads the registry, the catalog,
 * the stamps and what tenantctl has recorded, and opens no table of a tenant.
 */
export async function readGroups(database: Database, scope: Scope): Promise<TenantGroup[]> {
  const { table, key, namesSchema, status } = parts(database.names);
  return read<TenantGroup & QueryResultRow>(
    database,
    `SELECT ${key} AS key, ${status} AS status, n.oid IS NOT NULL AS "hasSchema",
            ${namesSchema} AS "namesSchema", s.digest::text AS digest, ${FAILED} AS "hasFailed",
            ${INTERRUPTED} AS "isInterrupted", ${AMBIGUOUS} AS "isAmbiguous", count(*)::int AS count
     FROM ${table} t ${joins(database.names, scope)}
     WHERE ${among(database.names, scope)}
     GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
     ORDER BY 1`,
  );
}

/**
 * The tenants one by one, by organization id, in pages of some thousand, without those of some groups. Groups are left
 * out instead of asked for, so that a tenant that has changed its group since they were counted is not missed.
 */
export async function* readMembers(
  database: Database,
  scope: Scope,
  groups: readonly TenantGroup[],
  isLeftOut: (group: TenantGroup) => boolean = () => false,
): AsyncGenerator<StampedTenant[]> {
  const { names } = database;
  const { table, id, schema, key } = parts(names);
  const total = countIn(groups.filter((group) => !isLeftOut(group)));
  if (total === 0) return;
  const leftOut = groups.filter(isLeftOut).map(({ key }) => literal(key));
  const bounds = total <= PAGE ? [] : await readBounds(database);
  for (let page = 0; page <= bounds.length; page += 1) {
    const above = bounds[page - 1];
    const upTo = bounds[page];
    const rows = await read<MemberRow>(
      database,
      `SELECT ${tenantColumns(names, scope.withTimes === true)}, s.digest::text AS digest,
              ${FAILED} AS "hasFailed", ${INTERRUPTED} AS "isInterrupted", ${AMBIGUOUS} AS "isAmbiguous"
       FROM ${table} t ${joins(names, scope)} ${joinHistory(names)}
       WHERE ${among(names, scope)} ${leftOut.length === 0 ? '' : `AND ${key} NOT IN (${leftOut.join(', ')})`}
         ${above === undefined ? '' : `AND (${id}, ${schema}) > (${literal(above.id)}, ${literal(above.schema)})`}
         ${upTo === undefined ? '' : `AND (${id}, ${schema}) <= (${literal(upTo.id)}, ${literal(upTo.schema)})`}
       ORDER BY ${id}, ${schema}`,
    );
    yield rows.map((row) => ({
      ...toTenant(names, row),
      namesSchema: row.schema_name !== '',
      digest: row.digest,
      hasFailed: row.hasFailed,
      isInterrupted: row.isInterrupted,
      isAmbiguous: row.isAmbiguous,
    }));
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

/** The last tenant of each full page of the registry. Pages are cut by name, so that none is missed or read twice. */
function readBounds(database: Database): Promise<Bound[]> {
  const { table, id, schema } = parts(database.names);
  return read<{ id: string; schema: string }>(
    database,
    `SELECT id, schema FROM (
       SELECT ${id} AS id, ${schema} AS schema, row_number() OVER (ORDER BY ${id}, ${schema}) AS place
       FROM ${table} t) numbered
     WHERE place % ${PAGE} = 0 ORDER BY place`,
  );
}

function joins(names: Names, { stateVersion, memory }: Scope): string {
  const { tenantSchema } = parts(names);
  const joinNamed = (alias: string, schemas: ReadonlyMap<string, unknown>) =>
    `LEFT JOIN unnest(${array([...schemas.keys()])}) AS ${alias} (schema) ON ${alias}.schema = ${tenantSchema}`;
  return [
    joinSchema(names),
    stateVersion >= STAMPS_SINCE
      ? 'LEFT JOIN tenantctl.trusted_stamps s ON s.schema_oid = n.oid'
      : 'CROSS JOIN (SELECT NULL::uuid AS digest) s',
    joinNamed('failed', memory.failures),
    joinNamed('interrupted', memory.intents),
    joinNamed('ambiguous', memory.ambiguous),
  ].join('\n     ');
}

function among(names: Names, { only }: Scope): string {
  if (only === undefined) return 'true';
  // A list of pairs would be compared one by one with each row.
  const { id, schema } = parts(names);
  const ids = array(only.map(({ clerkOrgId }) => clerkOrgId));
  const schemas = array(only.map(({ schema }) => schema));
  return `(${id}, ${schema}) IN (SELECT * FROM unnest(${ids}, ${schemas}))`;
}

function array(values: readonly string[]): string {
  return `ARRAY[${values.map(literal).join(', ')}]::text[]`;
}

/**
 * Without just-in-time compilation, which costs more than it saves for a query that runs once, and with the joins in
 * the order in which they are written: planning so many joins takes longer than joining a thousand tenants.
 */
async function read<Row extends QueryResultRow>(database: Database, query: string): Promise<Row[]> {
  const prelude = ['SET LOCAL jit = off', 'SET LOCAL join_collapse_limit = 1'];
  return withTransaction(database, {}, [...prelude, query], ({ opening }) =>
    Promise.resolve((opening[prelude.length]?.rows ?? []) as Row[]),
  );
}

type MemberRow = TenantRow &
  Pick<TenantGroup, 'digest' | 'hasFailed' | 'isInterrupted' | 'isAmbiguous'> &
  QueryResultRow;
