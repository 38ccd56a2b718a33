import { literal } from '../../db/sql.ts';

/** What a tenant's schema and its transaction held before the first migration: what comes after is the migrations'. */
export interface Boundary {
  /** The locks that the transaction held already: see lockKey. */
  readonly locks: ReadonlySet<string>;
  /** Everything in the schema, with what belongs to it: see objectKey. */
  readonly own: ReadonlySet<string>;
  /** Its foreign keys: the oid of each, and that of the table that it refers to. */
  readonly foreignKeys: ReadonlyMap<string, string>;
  /** How many rows this session had written into each of the largest catalogs, as the server counts them. */
  readonly writes: ReadonlyMap<string, number>;
  /** No relation and no type of the database had a larger oid. */
  readonly largestOid: number;
  /** The transaction id under which the transaction wrote last; undefined where it had written nothing. */
  readonly since: bigint | undefined;
}

/** An object in the server's catalogs: the name of its catalog (pg_class, …) and its oid. */
export interface ObjectName {
  readonly catalog: string;
  readonly oid: string;
}

export function objectKey({ catalog, oid }: ObjectName): string {
  return `${catalog}:${oid}`;
}

/** A lock on an object. */
export function lockKey(object: ObjectName, mode: string): string {
  return `${objectKey(object)}:${mode}`;
}

/** The catalogs that have several rows for each table of each tenant. */
export const LARGEST = ['pg_class', 'pg_attribute', 'pg_type'] as const;

/** Where a transaction goes back to that has gone outside its schema. */
export const SAVEPOINT = 'tenantctl_guard';

/**
 * The ages of the transaction's first and last transaction id that is still open, worked out once for a query; null where
 * it has none. Savepoints have ids of their own, each later than those before
 * (https://www.postgresql.org/docs/current/subxacts.html).
 */
export const FIRST_AGE = `(SELECT max(age(l.transactionid)) FROM pg_lock_status() l
  WHERE l.pid = pg_backend_pid() AND l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock')`;
export const LAST_AGE = FIRST_AGE.replace('max', 'min');

/** The transaction id with an age, counted on beyond 2³². */
export function idOf(age: string): string {
  return `(txid_current() + ${FIRST_AGE} - ${age})`;
}

/** What this transaction has locked: relations, and other objects exclusively. A lock stays until its end. */
export const OWN_LOCKS = `SELECT DISTINCT
    CASE l.locktype WHEN 'relation' THEN 'pg_class' ELSE l.classid::regclass::text END AS catalog,
    CASE l.locktype WHEN 'relation' THEN l.relation ELSE l.objid END AS oid, l.mode
  FROM pg_lock_status() l
  WHERE l.pid = pg_backend_pid() AND l.granted
    AND (l.locktype = 'relation'
      OR l.locktype = 'object' AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock'))`;

const LOCKS = `ARRAY(SELECT concat_ws(':', o.catalog, o.oid, o.mode) FROM (${OWN_LOCKS}) o) AS locks`;

/**
 * The statements that give what comes after a transaction id of its own: the message, to nobody, makes the server assign
 * it (https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-REPLICATION).
 */
export const NEW_ID: readonly string[] = [
  `SAVEPOINT ${SAVEPOINT}`,
  `SELECT pg_logical_emit_message(true, 'tenantctl', '')::text`,
];

/** Nothing that a migration has made is taken for PostgreSQL's own, a temporary table included. */
export const OWN_PATH = 'SET LOCAL search_path TO pg_catalog, pg_temp';

/** What a transaction held between two migrations. */
export interface Mark {
  readonly locks: ReadonlySet<string>;
  readonly since: bigint;
}

/** The statements that mark the place between two migrations, the last of them a query for its Mark. */
export const MARK: readonly string[] = [
  OWN_PATH,
  ...NEW_ID,
  `SELECT ${LOCKS}, ${idOf(LAST_AGE)}::text AS since`,
];

/** @param row that of the last of MARK */
export function toMark(row: unknown): Mark {
  const { locks, since } = row as { locks: string[]; since: string };
  return { locks: new Set(locks), since: BigInt(since) };
}

/** The rows of a catalog for each row before it, by an index: whatever the planner expects, the catalog is not read whole. */
function each(catalog: string, alias: string, condition: string): string {
  return `LATERAL (SELECT ${alias}.* FROM pg_catalog.${catalog} ${alias} WHERE ${condition} OFFSET 0) ${alias}`;
}

/**
 * How many rows of a catalog this transaction has written that belong to objects of the schema, in SQL that has `own`.
 * @param isNew whether a row's xmin is this transaction's
 */
export function ownRows(
  of: 'pg_class' | 'pg_type',
  catalog: string,
  column: string,
  isNew: (xmin: string) => string,
): string {
  return `(SELECT coalesce(sum((SELECT count(*) FROM pg_catalog.${catalog} r WHERE r.${column} = own.oid AND ${isNew('r.xmin')})), 0)
    FROM own WHERE own.catalog = '${of}')`;
}

/**
 * What lies in a schema and what belongs to it, as the rows of `own` in a WITH, found by its dependency on the schema
 * (https://www.postgresql.org/docs/current/catalog-pg-depend.html): indexes, TOAST tables and row types depend on their
 * tables. Up to version 13 TOAST tables have row types, too.
 * @param schema the schema's name, in SQL
 */
export function ownObjects(schema: string): string {
  return `named AS MATERIALIZED (
    SELECT d.classid::regclass::text AS catalog, d.objid AS oid FROM pg_catalog.pg_depend d
    WHERE d.refclassid = 'pg_catalog.pg_namespace'::regclass
      AND d.refobjid = (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = ${schema})
  ), relations AS MATERIALIZED (
    SELECT d.oid, c.reltoastrelid
    FROM named d, ${each('pg_class', 'c', 'c.oid = d.oid')} WHERE d.catalog = 'pg_class'
  ), tables AS MATERIALIZED (
    SELECT oid FROM relations UNION ALL SELECT reltoastrelid FROM relations WHERE reltoastrelid <> 0
  ), types AS MATERIALIZED (
    SELECT c.reltype AS oid FROM tables t, ${each('pg_class', 'c', 'c.oid = t.oid')} WHERE c.reltype <> 0
    UNION ALL SELECT oid FROM named WHERE catalog = 'pg_type'
  ), own AS MATERIALIZED (
    SELECT catalog, oid FROM named
    UNION SELECT 'pg_class', oid FROM tables
    UNION SELECT 'pg_class', i.indexrelid FROM tables t, ${each('pg_index', 'i', 'i.indrelid = t.oid')}
    UNION SELECT 'pg_class', y.typrelid FROM types t, ${each('pg_type', 'y', 'y.oid = t.oid AND y.typrelid <> 0')}
    UNION SELECT 'pg_cast', x.oid FROM types t, ${each('pg_cast', 'x', 'x.castsource = t.oid')}
    UNION SELECT 'pg_type', oid FROM types
    UNION SELECT 'pg_type', a.typarray FROM types t, ${each('pg_type', 'a', 'a.oid = t.oid')}
    UNION SELECT 'pg_constraint', k.oid FROM tables t, ${each('pg_constraint', 'k', 'k.conrelid = t.oid')}
    UNION SELECT 'pg_constraint', k.oid FROM types t, ${each('pg_constraint', 'k', 'k.contypid = t.oid')}
    UNION SELECT 'pg_namespace', n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = ${schema}
  )`;
}

/** Whether a schema is another tenant's: the registry has it, or its name has the form that such names have here. */
export function isOtherTenants(column: string, own: string): string {
  return `coalesce(${column} <> ${literal(own)} AND (${column} ~ '^tid_[0-9a-f]{10}$'
    OR (SELECT true FROM public.tenants t WHERE t.schema_name = ${column} LIMIT 1)), false)`;
}

/** How often this session has written rows into the catalog of that name, as far as the server counts it. */
export function writesOf(name: string): string {
  return `(SELECT pg_stat_get_xact_tuples_inserted(c) + pg_stat_get_xact_tuples_updated(c) FROM CAST('pg_catalog.' || ${name} AS regclass) c)`;
}

/** The largest oid that any object of these catalogs has, in SQL. */
export function largestOid(catalogs: readonly string[]): string {
  const each = catalogs.map(
    (name) => `(SELECT r.oid::bigint FROM pg_catalog.${name} r ORDER BY r.oid DESC LIMIT 1)`,
  );
  return `greatest(${each.join(', ')})`;
}

/** The foreign keys of a schema's tables, in SQL that has `relations`. */
const FOREIGN_KEYS = `(SELECT coalesce(json_object_agg(k.oid, k.confrelid::text), '{}')
    FROM relations t, ${each('pg_constraint', 'k', `k.conrelid = t.oid AND k.contype = 'f'`)})`;

/** The query for the foreign keys that a schema's tables have now. */
export function selectForeignKeys(schema: string): string {
  return `WITH ${ownObjects(literal(schema))} SELECT ${FOREIGN_KEYS} AS keys`;
}

/** The query that sets the boundary before the first migration of a tenant's transaction. It writes nothing. */
export function selectBoundary(schema: string): string {
  return `WITH ${ownObjects(literal(schema))} SELECT ${LOCKS},
    ARRAY(SELECT concat_ws(':', own.catalog, own.oid) FROM own) AS own, ${FOREIGN_KEYS} AS keys,
    json_build_object(${LARGEST.map((name) => `'${name}', ${writesOf(`'${name}'`)}`).join(', ')}) AS writes,
    ${largestOid(['pg_class', 'pg_type'])}::text AS largest,
    CASE WHEN txid_current_if_assigned() IS NOT NULL THEN ${idOf(LAST_AGE)}::text END AS since`;
}

/** @param row that of selectBoundary */
export function toBoundary(row: unknown): Boundary {
  const { locks, own, keys, writes, largest, since } = row as {
    locks: string[];
    own: string[];
    keys: Record<string, string>;
    writes: Record<string, number>;
    largest: string;
    since: string | null;
  };
  return {
    locks: new Set(locks),
    own: new Set(own),
    foreignKeys: new Map(Object.entries(keys)),
    writes: new Map(Object.entries(writes)),
    largestOid: Number(largest),
    since: since === null ? undefined : BigInt(since),
  };
}
