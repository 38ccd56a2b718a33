import type { QueryResult, QueryResultRow } from 'pg';
import { literal } from '../../db/sql.ts';
import type { Names, TenantNames } from '../../names.ts';
import { registrySql, statusOf } from '../registry/registry-sql.ts';
import {
  joinHistory,
  joinSchema,
  readSharedSchemas,
  tenantColumns,
  type RegisteredTenant,
  type SharedSchemas,
} from '../registry/registry.ts';
import type { ClassFacts } from './class-of.ts';
import { readKnownHistories } from '../stamps/stamps.ts';
import { readMemory, type Memory } from '../state/memory.ts';
import { countScripts, type Script } from '../state/scripts.ts';
import { SCRIPTS_SINCE, STAMPS_SINCE } from '../state/version.ts';
import type { HistoryEntry } from '../target/history.ts';
import type { Database } from '../../db/database.ts';

/** Tenants with identical facts in the registry, catalog, stamps and tenantctl's records. */
export interface TenantGroup extends Omit<ClassFacts, 'plan'> {
  readonly key: string;
  /** The digest of their history from trusted stamps; null if there is none. */
  readonly digest: string | null;
  /** They lack a script of the scope, or have it in another form. */
  readonly hasOutdatedScripts: boolean;
  readonly count: number;
}

export type StampedTenant = RegisteredTenant & Omit<TenantGroup, 'key' | 'count'>;

export interface Scope {
  /** Read the registry's timestamps, which requires reading whole rows. */
  readonly withTimes?: boolean | undefined;
  /** 0 if there is no schema tenantctl. */
  readonly stateVersion: number;
  readonly memory: Memory;
  readonly shared: SharedSchemas;
  /** The scripts that each tenant should have; none if absent. */
  readonly scripts?: readonly Script[] | undefined;
  /** The table of scripts exists. */
  readonly hasScripts?: boolean;
  /** Only these tenants; all if absent. */
  readonly only?: readonly TenantNames[] | undefined;
}

/** Histories by the digest in stamps. */
export type KnownHistories = ReadonlyMap<string, readonly HistoryEntry[]>;

/** What the server knows of the tenants without opening a table of theirs. */
export interface FleetFacts {
  readonly scope: Scope;
  readonly groups: readonly TenantGroup[];
  readonly known: KnownHistories;
}

/** The number of queries does not depend on the number of tenants. */
export async function readFleetFacts(
  database: Database,
  which: Pick<Scope, 'only' | 'withTimes' | 'scripts'>,
  stateVersion: number,
): Promise<FleetFacts> {
  const [scope, known] = await database.together((one) => [
    readScope(one, which, stateVersion),
    stateVersion < STAMPS_SINCE ? new Map<never, never>() : readKnownHistories(one, IN_USE),
  ]);
  return { scope, groups: await readGroups(database, scope), known };
}

/** Reads what the queries about the fleet need first. @param stateVersion from readStateVersion */
export async function readScope(
  database: Database,
  which: Pick<Scope, 'only' | 'withTimes' | 'scripts'>,
  stateVersion: number,
): Promise<Scope> {
  const [memory, shared] = await database.together((one) => [
    readMemory(one, stateVersion),
    readSharedSchemas(one),
  ]);
  return { ...which, stateVersion, hasScripts: stateVersion >= SCRIPTS_SINCE, memory, shared };
}

/** Of the histories h: a tenant may have it. Every deploy leaves one behind that none has. */
const IN_USE = 'EXISTS (SELECT FROM tenantctl.stamps s WHERE s.digest = h.digest)';

/** Tenants per query. */
const PAGE = 5_000;

/** SQL fragments for the queries below; the registry is t. */
function parts(
  names: Names,
  { scripts = [], hasScripts }: Partial<Pick<Scope, 'scripts' | 'hasScripts'>> = {},
) {
  const { table, organization, schema, status } = registrySql(names);
  const facts = {
    namesSchema: `coalesce(t.${schema}::text, '') <> ''`,
    digest: 's.digest::text',
    hasFailed: 'failed.schema IS NOT NULL',
    isInterrupted: 'interrupted.schema IS NOT NULL',
    isUnfinished: 'unfinished.schema IS NOT NULL',
    isAmbiguous: 'ambiguous.schema IS NOT NULL',
    hasOutdatedScripts:
      scripts.length > 0 && hasScripts === true
        ? `coalesce(scripts.current, 0) < ${scripts.length}`
        : String(scripts.length > 0),
  };
  const grouped = { status: statusOf(names, `t.${status}`), hasSchema: 'n.oid IS NOT NULL', ...facts };
  const columns = (of: object) => Object.entries(of).map(([name, sql]) => `${sql} AS "${name}"`);
  return {
    table,
    id: `coalesce(t.${organization}::text, '') COLLATE "C"`,
    schema: `coalesce(t.${schema}::text, '') COLLATE "C"`,
    /** Columns of a StampedTenant that tenantColumns does not include. */
    facts: columns(facts).join(', '),
    grouped: columns(grouped).join(', '),
    key: `concat_ws(' ', ${Object.values(grouped).join(', ')}, s.digest IS NULL)`,
  };
}

/** One query for any fleet size, one row per group. Opens no tenant tables. */
export async function readGroups(database: Database, scope: Scope): Promise<TenantGroup[]> {
  const { names } = database;
  const { table, key, grouped } = parts(names, scope);
  return readInOrder<TenantGroup & QueryResultRow>(
    database,
    `SELECT ${key} AS key, ${grouped}, count(*)::int AS count
     FROM ${table} t ${joins(names, scope)} WHERE ${among(names, scope)}
     GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 ORDER BY 1`,
  );
}

/** By organization id, in pages. Excludes groups, not selects them: a tenant may change group meanwhile. */
export async function* readMembers(
  database: Database,
  scope: Scope,
  groups: readonly TenantGroup[],
  isLeftOut: (group: TenantGroup) => boolean = () => false,
): AsyncGenerator<StampedTenant[]> {
  const { names } = database;
  const { table, id, schema, key, facts } = parts(names, scope);
  const total = countIn(groups.filter((group) => !isLeftOut(group)));
  if (total === 0) return;
  const leftOut = groups.filter(isLeftOut).map(({ key }) => literal(key));
  const bounds = total <= PAGE ? [] : await readBounds(database);
  const compared = (operator: string, bound: Bound | undefined) =>
    bound === undefined
      ? []
      : [`(${id}, ${schema}) ${operator} (${literal(bound.id)}, ${literal(bound.schema)})`];
  for (let page = 0; page <= bounds.length; page += 1) {
    const conditions = [
      among(names, scope),
      ...(leftOut.length === 0 ? [] : [`${key} NOT IN (${leftOut.join(', ')})`]),
      ...compared('>', bounds[page - 1]),
      ...compared('<=', bounds[page]),
    ];
    yield await readInOrder<StampedTenant & QueryResultRow>(
      database,
      `SELECT ${tenantColumns(names, scope.shared, scope.withTimes === true)}, ${facts}
       FROM ${table} t ${joins(names, scope)} ${joinHistory(names)}
       WHERE ${conditions.join(' AND ')} ORDER BY ${id}, ${schema}`,
    );
  }
}

/** tenantctl remembers something of these tenants, so that each must be looked at. */
export function isRecorded({ hasFailed, isInterrupted, isUnfinished, isAmbiguous }: TenantGroup): boolean {
  return hasFailed || isInterrupted || isUnfinished || isAmbiguous;
}

export function countIn(groups: readonly TenantGroup[]): number {
  return groups.reduce((sum, { count }) => sum + count, 0);
}

interface Bound {
  readonly id: string;
  readonly schema: string;
}

/** The last tenant of each full page. Paging by name neither skips nor repeats tenants. */
function readBounds(database: Database): Promise<Bound[]> {
  const { table, id, schema } = parts(database.names);
  return readInOrder<Bound & QueryResultRow>(
    database,
    `SELECT id, schema FROM (
       SELECT ${id} AS id, ${schema} AS schema, row_number() OVER (ORDER BY ${id}, ${schema}) AS place
       FROM ${table} t) numbered
     WHERE place % ${PAGE} = 0 ORDER BY place`,
  );
}

function joins(names: Names, { stateVersion, memory, shared, scripts = [], hasScripts }: Scope): string {
  const { schema } = registrySql(names);
  const joinNamed = (alias: string, schemas: ReadonlyMap<string, unknown>) =>
    `LEFT JOIN unnest(${array([...schemas.keys()])}) AS ${alias} (schema) ON ${alias}.schema = t.${schema}::text`;
  return [
    joinSchema(names, shared),
    stateVersion >= STAMPS_SINCE
      ? 'LEFT JOIN tenantctl.trusted_stamps s ON s.schema_oid = n.oid'
      : 'CROSS JOIN (SELECT NULL::uuid AS digest) s',
    joinNamed('failed', memory.failures),
    joinNamed('interrupted', memory.intents),
    joinNamed('unfinished', memory.verbs),
    joinNamed('ambiguous', memory.ambiguous),
    scripts.length > 0 && hasScripts
      ? `LEFT JOIN ${countScripts(scripts)} scripts ON scripts.schema_oid = n.oid`
      : '',
  ].join('\n     ');
}

function among(names: Names, { only }: Scope): string {
  if (only === undefined) return 'true';
  // PostgreSQL would compare a list of pairs with each row.
  const { id, schema } = parts(names);
  const ids = array(only.map(({ clerkOrgId }) => clerkOrgId));
  const schemas = array(only.map(({ schema }) => schema));
  return `(${id}, ${schema}) IN (SELECT * FROM unnest(${ids}, ${schemas}))`;
}

function array(values: readonly string[]): string {
  return `ARRAY[${values.map(literal).join(', ')}]::text[]`;
}

/** Fixed join order: planning takes longer than joining 1,000 tenants. */
export async function readInOrder<Row extends QueryResultRow>(
  database: Database,
  query: string,
): Promise<Row[]> {
  const answers: unknown = await database.query(`SET LOCAL join_collapse_limit = 1;\n${query}`);
  return (answers as QueryResult<Row>[]).at(-1)?.rows ?? [];
}
