import type { ClientBase, QueryResult } from 'pg';
import { literal } from '../../db/sql.ts';
import { lockKey, objectKey, selectForeignKeys, type Boundary, type ObjectName } from './boundary.ts';
import { isOtherTenants, ownObjects, ownRows, writesOf } from './own-objects.ts';
import { FIRST_AGE, idOf, LAST_AGE, NEW_ID, OWN_PATH, OWN_LOCKS } from './own-transaction.ts';
import { catalogsOf, type Catalog } from './catalogs.ts';

/** A lock that a migration's transaction has taken, on a relation or, exclusively, on another object. */
export interface SeenLock extends ObjectName {
  readonly mode: string;
  /** Of a relation that is there now; null of one that is not, and of other objects. */
  readonly schema: string | null;
  readonly name: string | null;
  readonly kind: string | null;
  /** The relation lies in another tenant's schema. */
  readonly isOtherTenants: boolean;
}

/** An object outside the schema whose catalog row a migration's transaction has written. */
export interface SeenRow extends ObjectName {
  /** The transaction id that has written it, counted on beyond 2³². */
  readonly writtenBy: bigint;
  /** It lies in the schema now, and may have been elsewhere. */
  readonly isInSchema: boolean;
  /** It belongs to an extension that the same transaction has written. */
  readonly extension: string | null;
}

/** What a tenant's transaction has done since its first boundary, as far as the server shows it. */
export interface Sightings {
  readonly locks: readonly SeenLock[];
  readonly rows: readonly SeenRow[];
  /** The foreign keys that the schema's tables have by now. */
  readonly foreignKeys: ReadonlyMap<string, string>;
}

/** What a foreign key takes on the table that it refers to. */
export const KEY_LOCK = 'ShareRowExclusiveLock';

export interface LookOptions {
  readonly serverVersion: number;
  /** Statements that come first. */
  readonly before: readonly string[];
  /** Whether columns may have been granted: the largest catalog tells, and nothing else of interest. */
  readonly columns: boolean;
}

/**
 * Looks at what the open transaction has done since the boundary. Constraints and triggers that were put off to its end
 * are done before. A catalog that surely was not written outside the schema, by the count that the server keeps, is not
 * looked through: with ten thousand schemas the largest take tens of milliseconds each.
 */
export async function look(
  client: Pick<ClientBase, 'query'>,
  schema: string,
  boundary: Boundary,
  options: LookOptions,
): Promise<Sightings> {
  const catalogs = catalogsOf(options.serverVersion).filter(
    ({ name }) => options.columns || name !== 'pg_attribute',
  );
  const names = [...new Set(catalogs.map(({ name }) => name))];
  const [locks, counted] = (
    (await client.query(
      [
        ...options.before,
        // A cursor that is to outlive the transaction would be gone through at its end.
        'CLOSE ALL',
        'SET CONSTRAINTS ALL IMMEDIATE',
        OWN_PATH,
        ...NEW_ID,
        selectLocks(schema),
        selectWrites(schema, names, boundary),
      ].join(';\n'),
    )) as unknown as QueryResult[]
  ).slice(-2) as [QueryResult<LockRow>, QueryResult<WritesRow>];
  const seenLocks = locks.rows
    .filter((row) => !boundary.locks.has(lockKey(row, row.mode)))
    .map(({ is_other: isOther, ...row }) => ({ ...row, isOtherTenants: isOther }));
  const toLookThrough = new Set(
    counted.rows.filter((row) => !isAccountedFor(row, boundary)).map(({ name }) => name),
  );
  const mayHaveKeys = boundary.foreignKeys.size > 0 || seenLocks.some(({ mode }) => mode === KEY_LOCK);
  if (toLookThrough.size === 0 && !mayHaveKeys) return { locks: seenLocks, rows: [], foreignKeys: new Map() };
  const [rows, keys] = (await client.query(
    [
      selectRows(
        catalogs.filter(({ name }) => toLookThrough.has(name)),
        schema,
        boundary,
      ),
      mayHaveKeys ? selectForeignKeys(schema) : `SELECT '{}'::json AS keys`,
    ].join(';\n'),
  )) as unknown as [QueryResult<RowRow>, QueryResult<{ keys: Record<string, string> }>];
  return {
    locks: seenLocks,
    rows: rows.rows
      .filter((row) => row.catalog !== 'pg_type' || !boundary.own.has(objectKey(row)))
      .map(({ written_by: writtenBy, is_in_schema: isInSchema, ...row }) => ({
        ...row,
        isInSchema,
        writtenBy: BigInt(writtenBy),
      })),
    foreignKeys: new Map(Object.entries(keys.rows[0]?.keys ?? {})),
  };
}

interface LockRow extends ObjectName {
  readonly mode: string;
  readonly schema: string | null;
  readonly name: string | null;
  readonly kind: string | null;
  readonly is_other: boolean;
}

function selectLocks(schema: string): string {
  return `SELECT o.catalog, o.oid::text AS oid, o.mode, n.nspname::text AS schema, c.relname::text AS name,
      c.relkind::text AS kind, ${isOtherTenants('n.nspname::text', schema)} AS is_other
    FROM (${OWN_LOCKS}) o
    LEFT JOIN pg_catalog.pg_class c ON o.catalog = 'pg_class' AND c.oid = o.oid
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`;
}

interface WritesRow {
  readonly name: string;
  /** Null where the server does not count. */
  readonly writes: string | null;
  /** Of the largest catalogs: how many rows of the schema's own objects have been written since. */
  readonly own: string | null;
}

/**
 * The counts of each catalog that this session has written; and of the largest how much of it is the schema's own. A type
 * that is older than the transaction does not count as that: it may have come into the schema.
 */
function selectWrites(schema: string, names: readonly string[], { since, largestOid }: Boundary): string {
  const isNew = (xmin: string) =>
    `age(${xmin}) BETWEEN ${LAST_AGE} AND ${FIRST_AGE} AND ${idOf(`age(${xmin})`)} >= ${since ?? 0}`;
  return `WITH ${ownObjects(literal(schema))}, counted AS MATERIALIZED (
      SELECT r.name, CASE current_setting('track_counts') WHEN 'on' THEN ${writesOf('r.name')} END AS writes
      FROM unnest(ARRAY[${names.map(literal).join(', ')}]) AS r (name)
      WHERE pg_catalog.has_table_privilege('pg_catalog.' || r.name, 'SELECT')
    )
    SELECT name, writes, CASE name
      WHEN 'pg_class' THEN ${ownRows('pg_class', 'pg_class', 'oid', isNew)}
      WHEN 'pg_attribute' THEN ${ownRows('pg_class', 'pg_attribute', 'attrelid', isNew)}
      WHEN 'pg_type' THEN ${ownRows('pg_type', 'pg_type', 'oid', (xmin) => `r.oid::bigint > ${largestOid} AND ${isNew(xmin)}`)}
    END AS own
    FROM counted WHERE writes IS DISTINCT FROM 0`;
}

/** Each row of the schema's own was written at least once: where the server counts no more than these, there are no others. */
function isAccountedFor({ name, writes, own }: WritesRow, boundary: Boundary): boolean {
  const before = boundary.writes.get(name);
  if (writes === null || own === null || before === undefined) return false;
  return Number(writes) - before === Number(own);
}

interface RowRow extends ObjectName {
  readonly written_by: string;
  readonly is_in_schema: boolean;
  readonly extension: string | null;
}

/**
 * The rows of these catalogs that the own transaction has written, and that stand for something outside the schema. A
 * row that can be seen, and whose writer is still at work, is the own transaction's.
 */
function selectRows(catalogs: readonly Catalog[], schema: string, { since, largestOid }: Boundary): string {
  // A type can be put into the schema without a lock that shows: one that is older may have been somebody else's.
  const isOldType = (catalog: string, oid: string) =>
    `(${catalog} = 'pg_type' AND ${oid}::bigint <= ${largestOid})`;
  const parts = catalogs.map(({ name, of: [catalog, oid] = [name, 'oid'], schema: column, where }) => {
    const conditions = [
      `age(r.xmin) BETWEEN (SELECT last FROM ages) AND (SELECT first FROM ages)`,
      ...(column === undefined
        ? []
        : [
            `(r.${column} <> (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = ${literal(schema)}) OR ${isOldType(literal(catalog), `r.${oid}`)})`,
          ]),
      ...(where === undefined ? [] : [where]),
    ];
    const space = column === undefined ? 'NULL::oid' : `r.${column}`;
    return `SELECT '${catalog}' AS catalog, r.${oid} AS oid, ${space} AS space, r.xmin FROM pg_catalog.${name} r WHERE ${conditions.join(' AND ')}`;
  });
  if (parts.length === 0) parts.push(`SELECT ''::text, 0::oid, 0::oid, '0'::xid WHERE false`);
  return `WITH ages AS MATERIALIZED (SELECT ${FIRST_AGE} AS first, ${LAST_AGE} AS last), near (catalog, oid, space, xmin) AS MATERIALIZED (${parts.join('\nUNION ALL ')}
  ), dated AS (
    SELECT catalog, oid, space, txid_current() + ages.first - age(near.xmin) AS written_by FROM near, ages
  ), mine AS MATERIALIZED (
    SELECT catalog, oid, max(space::bigint)::oid AS space, max(written_by) AS written_by FROM dated
    WHERE written_by >= ${since ?? 0} AND txid_status(written_by) = 'in progress'
    GROUP BY catalog, oid
  )
  SELECT m.catalog, m.oid::text AS oid, m.written_by::text AS written_by,
         coalesce(n.nspname = ${literal(schema)}, false) AS is_in_schema,
         (SELECT e.oid::text FROM pg_catalog.pg_depend d
          JOIN mine e ON e.catalog = 'pg_extension' AND e.oid = d.refobjid
          WHERE d.classid = ('pg_catalog.' || m.catalog)::regclass AND d.objid = m.oid
            AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e') AS extension
  FROM mine m
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = coalesce(m.space, CASE m.catalog
    WHEN 'pg_class' THEN (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = m.oid)
    WHEN 'pg_type' THEN (SELECT typnamespace FROM pg_catalog.pg_type WHERE oid = m.oid)
    WHEN 'pg_opfamily' THEN (SELECT opfnamespace FROM pg_catalog.pg_opfamily WHERE oid = m.oid)
    WHEN 'pg_ts_config' THEN (SELECT cfgnamespace FROM pg_catalog.pg_ts_config WHERE oid = m.oid)
  END)
  WHERE (n.nspname IS DISTINCT FROM ${literal(schema)} OR ${isOldType('m.catalog', 'm.oid')})
    AND coalesce(n.nspname !~ '^pg_(?:toast|temp|toast_temp)(?:_|$)', true)
  ORDER BY m.written_by, m.catalog, m.oid`;
}
