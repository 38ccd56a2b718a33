import { literal } from '../../db/sql.ts';
import { idOf, LAST_AGE, NEW_ID, OWN_LOCKS, OWN_PATH } from './own-transaction.ts';

/** What a tenant's schema and its transaction held before the first migration. */
export interface SchemaBefore {
  /** The locks that the transaction held already: see lockKey. */
  readonly locks: ReadonlySet<string>;
  /** Everything in the schema, with what belongs to it: see objectKey. */
  readonly own: ReadonlySet<string>;
  readonly foreignKeys: ForeignKeys;
  /** How many rows this session had written into each of the largest catalogs, as the server counts them. */
  readonly writes: Readonly<Record<string, number>>;
  /** No relation and no type of the database had a larger oid. */
  readonly largestOid: number;
  /** The transaction id of its last write; null if it had written nothing. */
  readonly since: string | null;
}

/** The oid of each foreign key of a schema's tables, and that of the table that it refers to. */
export type ForeignKeys = Readonly<Record<string, string>>;

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

/** The locks of the own transaction: see lockKey. */
export const LOCKS = `ARRAY(SELECT concat_ws(':', o.catalog, o.oid, o.mode) FROM (${OWN_LOCKS}) o)`;

/** What a transaction held between two migrations. */
export interface Mark {
  readonly locks: ReadonlySet<string>;
  /** The transaction id of what follows. */
  readonly since: bigint;
}

/** The statements that make a mark between two migrations; the last one returns a row for toMark. */
export const MARK: readonly string[] = [
  OWN_PATH,
  ...NEW_ID,
  `SELECT ${LOCKS} AS locks, ${idOf(LAST_AGE)}::text AS since`,
];

export function toMark(row: unknown): Mark {
  const { locks, since } = row as { locks: string[]; since: string };
  return { locks: new Set(locks), since: BigInt(since) };
}

/** The query for toSchemaBefore. It writes nothing. */
export function selectSchemaBefore(schema: string): string {
  return `SELECT tenantctl.schema_before(${literal(schema)}) AS schema_before`;
}

export function toSchemaBefore(row: unknown): SchemaBefore {
  const { schema_before: before } = row as { schema_before: SchemaBeforeJson };
  const { locks, own, keys, largest, writes, since } = before;
  const sets = { locks: new Set(locks), own: new Set(own) };
  return { ...sets, foreignKeys: keys, writes, largestOid: Number(largest), since };
}

interface SchemaBeforeJson extends Pick<SchemaBefore, 'writes' | 'since'> {
  readonly locks: string[];
  readonly own: string[];
  readonly keys: ForeignKeys;
  readonly largest: string;
}
