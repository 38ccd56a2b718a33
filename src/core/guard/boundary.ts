import { literal } from '../../db/sql.ts';
import { each, LARGEST, largestOid, ownObjects, writesOf } from './own-objects.ts';
import { idOf, LAST_AGE, NEW_ID, OWN_LOCKS, OWN_PATH } from './own-transaction.ts';

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

const LOCKS = `ARRAY(SELECT concat_ws(':', o.catalog, o.oid, o.mode) FROM (${OWN_LOCKS}) o) AS locks`;

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
