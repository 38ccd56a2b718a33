import type { PoolClient } from 'pg';
import { literal, qualified } from '../../db/sql.ts';
import { TenantctlError } from '../../errors.ts';
import { selectSchemaBefore } from '../guard/before.ts';
import { tryLock } from '../../db/transaction.ts';
import type { Assignment } from './assignment.ts';
import {
  createHistoryTables,
  EMPTY_HISTORY,
  historyReader,
  lockTableOf,
  selectHistory,
  type History,
  type HistoryRow,
} from '../target/history.ts';
import { registrySql, statusOf } from '../registry/registry-sql.ts';
import type { Target } from '../target/target.ts';
import { BACKEND_LIVES, type BegunIntent } from '../state/intents.ts';

/** What a target's transaction sees first. */
export interface Seen {
  readonly status: string | null;
  readonly intent: BegunIntent | null;
  readonly has_history: boolean;
  readonly has_lock: boolean;
}

/** Everything behind this savepoint can be let go of, and the lock is still held. */
export const LOCK_ONLY = 'tenantctl_lock_only';

/**
 * The statements that take the lock (a row with `locked`, and `pid` of the backend) and then look (a row of Seen): a new
 * snapshot, under it. Of a tenant they note as well what its schema holds (a row for toSchemaBefore, null for others).
 */
export function lookUnderLock(target: Target, assignment: Assignment): string[] {
  const { table: registry, schema, status } = registrySql(target.names);
  const table = (name: string) =>
    `EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(${literal(target.schema)}))
             AND relname = ${literal(name)} AND relkind IN ('r', 'p'))`;
  const look = `SELECT
    ${
      assignment.statuses === undefined
        ? 'NULL::text'
        : `(SELECT ${statusOf(target.names, status)} FROM ${registry} WHERE ${schema}::text = ${literal(target.schema)})`
    } AS status,
    ${
      assignment.hasState
        ? `(SELECT json_build_object('migration', migration, 'direction', direction, 'batch', batch, 'run', run, 'backend', CASE WHEN ${BACKEND_LIVES} THEN backend_pid END)
            FROM tenantctl.intents WHERE schema_name = ${literal(target.schema)})`
        : 'NULL::json'
    } AS intent,
    ${table(target.historyTable)} AS has_history, ${table(lockTableOf(target.historyTable))} AS has_lock`;
  const statements = [
    `SELECT ${tryLock(target.lock)} AS locked, pg_backend_pid() AS pid`,
    `SAVEPOINT ${LOCK_ONLY}`,
    look,
    target.scope === 'tenants' ? selectSchemaBefore(target.schema) : 'SELECT NULL',
  ];
  return assignment.hasTables === true ? [...statements, selectUnderLock(target)] : statements;
}

/** Sent together with the lock, it may come too late for it: then Knex's row belongs to whoever has the lock. */
function selectUnderLock({ schema, historyTable: table, lock }: Target): string {
  const tables = { schema, table, hasHistory: true, hasLock: true };
  return selectHistory(tables, { takeKnexLock: true, onlyIf: tryLock(lock) });
}

/**
 * The history, with Knex's own lock row taken, unless it was read with the lock; both tables are created where they are missing and will be needed.
 * @throws TenantctlError KNEX_LOCKED
 */
export async function readUnderLock(
  client: PoolClient,
  target: Target,
  assignment: Assignment,
  seen: Seen,
  read: HistoryRow | undefined,
): Promise<History> {
  const { schema, historyTable: table } = target;
  if (!seen.has_history || !seen.has_lock) {
    if (assignment.direction === 'down' && !seen.has_history) return EMPTY_HISTORY;
    await client.query(createHistoryTables(schema, table).join(';\n'));
  }
  const row = read ?? (await client.query<HistoryRow>(selectUnderLock(target))).rows[0];
  if (row === undefined) throw new Error('a history is always one row');
  const history = historyReader()(row);
  if (history.lockedByKnex) throw lockedByKnex(target);
  return history;
}

/** A Knex works on the schema, or died there. */
function lockedByKnex(target: Target): TenantctlError {
  const table = qualified(target.schema, lockTableOf(target.historyTable));
  return new TenantctlError(
    'KNEX_LOCKED',
    `Knex's own lock on ${target.schema} is set: a Knex is migrating it, or died while it did.`,
    {
      tenant: target.clerkOrgId,
      hint: `When no Knex is at work there, free it: UPDATE ${table} SET is_locked = 0;`,
    },
  );
}
