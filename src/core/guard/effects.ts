import type { ClientBase, QueryResult } from 'pg';
import { literal } from '../../db/sql.ts';
import { lockKey, objectKey, type ForeignKeys, type SchemaBefore, type ObjectName } from './before.ts';
import { ASSIGN_ID, BEGAN, idOf, OWN_PATH, REPLACED_ROUTINES } from './own-transaction.ts';

/** A lock taken by a migration's transaction: on a relation or, if exclusive, on another object. */
export interface SeenLock extends ObjectName {
  readonly mode: string;
  /** The relation's; null if it no longer exists, and for other objects. */
  readonly schema: string | null;
  readonly name: string | null;
  readonly kind: string | null;
  readonly isOtherTenants: boolean;
}

/** An object outside the schema whose catalog row a migration's transaction has written. */
export interface SeenRow extends ObjectName {
  /** The transaction id that wrote it, as 64 bits. */
  readonly writtenBy: string;
  /** It is in the tenant's schema now; it may have been moved there. */
  readonly isInSchema: boolean;
  /** It is another tenant's, was not written itself, and something was made to depend on it. */
  readonly isReferred: boolean;
  /** The oid of its extension (its own, if it is one), if the same transaction wrote that. */
  readonly extension: string | null;
}

/** What a tenant's transaction has done since its SchemaBefore: the result of tenantctl.effects. */
export interface Effects {
  readonly locks: readonly SeenLock[];
  readonly rows: readonly SeenRow[];
  /** The current ones of the schema's tables. */
  readonly foreignKeys: ForeignKeys;
  /** False if the transaction is not the one that began. */
  readonly isWhole: boolean;
  /** Statements on tables may call functions that no text names. */
  readonly hasHiddenCalls: boolean;
}

/** The lock that a foreign key takes on the referenced table. */
export const KEY_LOCK = 'ShareRowExclusiveLock';

interface LookOptions {
  readonly regain: readonly string[];
  readonly columns: boolean;
}

/** Reads what the transaction has done since `schemaBefore`. Runs deferred constraints and triggers first. */
export async function look(
  client: Pick<ClientBase, 'query'>,
  schema: string,
  schemaBefore: SchemaBefore,
  { regain, columns }: LookOptions,
): Promise<Effects> {
  const { largestOid, since, writes, foreignKeys, began } = schemaBefore;
  const noted = `ARRAY[${writes.join(', ')}]::bigint[]`;
  const hadKeys = Object.keys(foreignKeys).length > 0;
  const results = (await client.query(
    [
      ...regain,
      // A cursor WITH HOLD would run its query at the COMMIT.
      'CLOSE ALL',
      'SET CONSTRAINTS ALL IMMEDIATE',
      OWN_PATH,
      // A subtransaction has an id of its own, later than all that wrote anything here before.
      'SAVEPOINT tenantctl_look',
      ASSIGN_ID,
      // A dry run may have created them itself, before.
      `${REPLACED_ROUTINES} AND ${idOf('age(p.xmin)')} > ${since ?? 0}`,
      `SELECT tenantctl.effects(${literal(schema)}::text, ${since ?? 0}::bigint, ${largestOid}::bigint, ${noted}, ${hadKeys}, ${columns}) AS effects,
         ${BEGAN} = '${began}' AS "isWhole"`,
      'RELEASE SAVEPOINT tenantctl_look',
    ].join(';\n'),
  )) as unknown as QueryResult[];
  const [replaced, seen] = results.slice(-3, -1).map(({ rows }) => rows) as [
    SeenRow[],
    [Pick<Effects, 'isWhole'> & { effects: Omit<Effects, 'isWhole'> }],
  ];
  const [{ effects, isWhole }] = seen;
  if (replaced.length > 0)
    return { locks: [], rows: replaced, foreignKeys: {}, hasHiddenCalls: false, isWhole };
  const locks = effects.locks.filter((lock) => !schemaBefore.locks.has(lockKey(lock, lock.mode)));
  const rows = effects.rows.filter((row) => !row.isInSchema || !schemaBefore.own.has(objectKey(row)));
  return { ...effects, locks, rows, isWhole };
}
