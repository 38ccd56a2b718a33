import type { ClientBase, QueryResult } from 'pg';
import { literal } from '../../db/sql.ts';
import { lockKey, objectKey, type SchemaBefore, type ObjectName } from './before.ts';
import { OWN_PATH } from './own-transaction.ts';

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

/** What a tenant's transaction has done since its first first look, as far as the server shows it. */
export interface Effects {
  readonly locks: readonly SeenLock[];
  readonly rows: readonly SeenRow[];
  /** The foreign keys that the schema's tables have by now. */
  readonly foreignKeys: ReadonlyMap<string, string>;
}

/** What a foreign key takes on the table that it refers to. */
export const KEY_LOCK = 'ShareRowExclusiveLock';

export interface LookOptions {
  /** Statements that come first. */
  readonly before: readonly string[];
  /** Whether columns may have been granted: the largest catalog tells, and nothing else of interest. */
  readonly columns: boolean;
}

/**
 * Looks at what the open transaction has done since that look. Constraints and triggers that were put off to its end
 * are done before.
 */
export async function look(
  client: Pick<ClientBase, 'query'>,
  schema: string,
  schemaBefore: SchemaBefore,
  options: LookOptions,
): Promise<Effects> {
  const { largestOid, since, writes, foreignKeys } = schemaBefore;
  const noted = literal(JSON.stringify(Object.fromEntries(writes)));
  const results = (await client.query(
    [
      ...options.before,
      // A cursor that is to outlive the transaction would be gone through at its end.
      'CLOSE ALL',
      'SET CONSTRAINTS ALL IMMEDIATE',
      OWN_PATH,
      `SELECT tenantctl.effects(${literal(schema)}, ${since ?? 0}, ${largestOid}, ${noted}, ${foreignKeys.size > 0}, ${options.columns}) AS effects`,
    ].join(';\n'),
  )) as unknown as QueryResult<{ effects: SightingsRow }>[];
  const seen = results.at(-1)?.rows[0]?.effects;
  if (seen === undefined) throw new Error('the look at a transaction is always one row');
  return {
    locks: seen.locks.filter((lock) => !schemaBefore.locks.has(lockKey(lock, lock.mode))),
    rows: seen.rows
      .filter((row) => row.catalog !== 'pg_type' || !schemaBefore.own.has(objectKey(row)))
      .map((row) => ({ ...row, writtenBy: BigInt(row.writtenBy) })),
    foreignKeys: new Map(Object.entries(seen.foreignKeys)),
  };
}

/** What tenantctl.effects answers. */
interface SightingsRow {
  readonly locks: readonly SeenLock[];
  readonly rows: readonly (Omit<SeenRow, 'writtenBy'> & { readonly writtenBy: string })[];
  readonly foreignKeys: Readonly<Record<string, string>>;
}
