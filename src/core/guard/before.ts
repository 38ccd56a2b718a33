import { literal } from '../../db/sql.ts';
import { BEGAN, OWN_LOCKS } from './own-transaction.ts';

export interface SchemaBefore {
  /** Locks that the transaction already held: see lockKey. */
  readonly locks: ReadonlySet<string>;
  /** Everything in the schema, with dependent objects: see objectKey. */
  readonly own: ReadonlySet<string>;
  readonly foreignKeys: ForeignKeys;
  /** How often this session had written each of COUNTED. */
  readonly writes: readonly number[];
  /** The largest oid of any relation or type in the database. */
  readonly largestOid: number;
  /** The transaction id of its last write; null if it had written nothing. */
  readonly since: string | null;
  /** When the transaction began: see BEGAN. */
  readonly began: string;
}

/** Maps the oid of each foreign key of a schema's tables to that of the referenced table. */
export type ForeignKeys = Readonly<Record<string, string>>;

/** An object in the server's catalogs: the catalog's name (pg_class, ...) and the oid. */
export interface ObjectName {
  readonly catalog: string;
  readonly oid: string;
}

export function objectKey({ catalog, oid }: ObjectName): string {
  return `${catalog}:${oid}`;
}

/** The key of a lock in SchemaBefore. */
export function lockKey(object: ObjectName, mode: string): string {
  return `${objectKey(object)}:${mode}`;
}

/** SQL for the locks of this transaction: see lockKey. */
export const LOCKS = `ARRAY(SELECT concat_ws(':', o.catalog, o.oid, o.mode) FROM (${OWN_LOCKS}) o)`;

export function selectSchemaBefore(schema: string): string {
  return `SELECT tenantctl.schema_before(${literal(schema)}::text) AS schema_before, ${BEGAN} AS began`;
}

export function toSchemaBefore(row: unknown): SchemaBefore {
  const { schema_before: before, began } = row as { schema_before: SchemaBeforeJson; began: string };
  const { locks, own, keys, largest, writes, since } = before;
  const sets = { locks: new Set(locks), own: new Set(own) };
  return { ...sets, foreignKeys: keys, writes, largestOid: Number(largest), since, began };
}

interface SchemaBeforeJson extends Pick<SchemaBefore, 'writes' | 'since'> {
  readonly locks: string[];
  readonly own: string[];
  readonly keys: ForeignKeys;
  readonly largest: string;
}
