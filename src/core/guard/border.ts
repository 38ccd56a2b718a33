import { randomBytes } from 'node:crypto';
import { DatabaseError, type PoolClient, type QueryResult } from 'pg';
import { LOCKS } from './before.ts';
import { idOf, LAST_AGE, ASSIGN_ID, OWN_PATH } from './own-transaction.ts';

/** The transaction's state between two migrations. */
export interface Mark {
  readonly locks: ReadonlySet<string>;
  readonly since: bigint;
}

/**
 * The borders between the migrations of a transaction: a savepoint that is made anew at each. A statement that ends
 * the transaction, or goes back to before the border, removes it. No migration knows its name.
 */
export interface Borders {
  /** One for each border; undefined if none are made. */
  readonly marks: Mark[] | undefined;
  /** Sends statements between two migrations, in one round trip. @throws see isBorderGone */
  cross(client: PoolClient, before: readonly string[], after: readonly string[]): Promise<void>;
  /** Statements that fail if the last border is gone. */
  leave(): string[];
}

/** A new name for the savepoint of a border. */
export function borderName(): string {
  return `tenantctl_${randomBytes(8).toString('hex')}`;
}

/** @param isMarking notes the locks at each border (some milliseconds): it tells which migration took which */
export function createBorders(isMarking: boolean): Borders {
  const name = borderName();
  const marks: Mark[] | undefined = isMarking ? [] : undefined;
  let isOpen = false;
  const leave = () => (isOpen ? [`RELEASE SAVEPOINT ${name}`] : []);
  return {
    marks,
    leave,
    async cross(client, before, after) {
      const marking = isMarking
        ? [OWN_PATH, ASSIGN_ID, `SELECT ${LOCKS} AS locks, ${idOf(LAST_AGE)}::text AS since`]
        : [];
      // Each open savepoint holds a lock, and thousands exhaust the server's.
      const first = [...leave(), ...before, `SAVEPOINT ${name}`, ...marking];
      isOpen = true;
      const sent: unknown = await client.query([...first, ...after].join(';\n'));
      marks?.push(toMark((sent as QueryResult[])[first.length - 1]?.rows[0]));
    },
  };
}

function toMark(row: unknown): Mark {
  const { locks, since } = row as { locks: string[]; since: string };
  return { locks: new Set(locks), since: BigInt(since) };
}

/**
 * Whether a border is gone: invalid_savepoint_specification, or no_active_sql_transaction
 * (https://www.postgresql.org/docs/current/errcodes-appendix.html).
 */
export function isBorderGone(error: unknown): boolean {
  return error instanceof DatabaseError && (error.code === '3B001' || error.code === '25P01');
}
