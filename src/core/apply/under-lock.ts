import type { PoolClient, QueryResultRow } from 'pg';
import { literal, qualified } from '../../db/sql.ts';
import { TenantctlError } from '../../errors.ts';
import { selectSchemaBefore } from '../guard/before.ts';
import type { Assignment } from './assignment.ts';
import {
  createHistoryTables,
  EMPTY_HISTORY,
  holdLockRow,
  lockTableOf,
  selectHistory,
  type History,
} from '../target/history.ts';
import { assertTrusted } from '../target/control.ts';
import { isScript } from '../plan/plan.ts';
import { registrySql, statusOf } from '../registry/registry-sql.ts';
import type { Target } from '../target/target.ts';
import { selectScripts, type Script } from '../state/scripts.ts';
import { tenantId } from '../state/tenant-ids.ts';
import type { VerbIntent } from '../state/unfinished-verb.ts';
import { selectVerbIntent } from '../state/verb-intents.ts';
import { BACKEND_LIVES, type BegunIntent } from '../state/intents.ts';
import { tryLock } from '../../db/advisory-lock.ts';

/** What a target's transaction reads first. */
export interface Seen {
  readonly status: string | null;
  readonly intent: BegunIntent | null;
  /** A verb that has not ended. */
  readonly verb: VerbIntent | null;
  /** False if both names of the tenant have changed: stored data could be another tenant's. */
  readonly is_known: boolean;
  /** The repeatable scripts that it has; null if none are planned. */
  readonly scripts: readonly Script[] | null;
  readonly has_history: boolean;
  readonly has_lock: boolean;
  /** A data change has nothing left to do. */
  readonly is_done: boolean;
  /** Steps of a data change that the target has. */
  readonly applied: readonly string[] | null;
}

/** After a rollback to this savepoint the transaction holds only the target's lock. */
export const LOCK_ONLY = 'tenantctl_lock_only';

/**
 * Statements that return, in this order: whether the lock was taken, and the backend's pid; nothing; Seen,
 * with a new snapshot under the lock; a tenant's SchemaBefore, if the guard is to look
 * at the transaction; with `hasTables`, the history.
 */
export function lookUnderLock(target: Target, assignment: Assignment, isGuarded: boolean): string[] {
  const { table: registry, schema, status } = registrySql(target.names);
  const table = (name: string) =>
    `EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(${literal(target.schema)}))
             AND relname = ${literal(name)} AND relkind IN ('r', 'p'))`;
  const look = `SELECT ${assertTrusted(target)
    .map((assertion) => `${assertion}, `)
    .join('')}
    ${
      assignment.statuses === undefined
        ? 'NULL::text'
        : `(SELECT ${statusOf(target.names, status)} FROM ${registry} WHERE ${schema}::text = ${literal(target.schema)})`
    } AS status,
    ${
      assignment.hasState
        ? `(SELECT json_build_object('migration', migration, 'direction', direction, 'batch', batch, 'run', run, 'backend', CASE WHEN ${BACKEND_LIVES} THEN backend_pid END)
            FROM tenantctl.intents WHERE tenant = ${tenantId(target.schema)})`
        : 'NULL::json'
    } AS intent,
    ${assignment.hasState && target.scope === 'tenants' ? selectVerbIntent(target.schema) : 'NULL::jsonb'} AS verb,
    ${assignment.hasState ? `${tenantId(target.schema)} IS NOT NULL` : 'true'} AS is_known,
    ${assignment.planned?.some(isScript) === true ? selectScripts(target.schema) : 'NULL::jsonb'} AS scripts,
    ${table(target.historyTable)} AS has_history, ${table(lockTableOf(target.historyTable))} AS has_lock,
    ${assignment.isDone ?? 'false'} AS is_done, ${assignment.applied ?? 'NULL::text[]'} AS applied`;
  const statements = [
    `SELECT ${tryLock(target.lock)} AS locked, pg_backend_pid() AS pid`,
    `SAVEPOINT ${LOCK_ONLY}`,
    look,
    target.scope === 'tenants' && isGuarded ? selectSchemaBefore(target.schema) : 'SELECT NULL',
  ];
  return assignment.hasTables === true ? [...statements, selectUnderLock(target)] : statements;
}

/** Sent in one string with the lock; without the lock, Knex's row is another run's and is not touched. */
function selectUnderLock({ schema, historyTable, lock }: Target): string {
  return selectHistory(schema, historyTable, tryLock(lock));
}

/**
 * Reads the history, takes Knex's lock row, creates missing tables.
 * @param hasNodes of the database: there, a transaction that a node has yet to finish is waited for
 * @throws TenantctlError KNEX_LOCKED
 */
export async function readUnderLock(
  client: PoolClient,
  target: Target,
  assignment: Assignment,
  seen: Seen,
  read: History | undefined,
  hasNodes = false,
): Promise<History> {
  const { schema, historyTable: table } = target;
  if (!seen.has_history || !seen.has_lock) {
    if (assignment.dataChange !== undefined) return EMPTY_HISTORY;
    if (assignment.direction === 'down' && !seen.has_history) return EMPTY_HISTORY;
    await client.query(createHistoryTables(schema, table).join(';\n'));
  }
  const again = async () => (await client.query<History & QueryResultRow>(selectUnderLock(target))).rows[0];
  let history = read ?? (await again());
  if (hasNodes && history?.lockedByKnex === true) {
    await client.query(holdLockRow(target));
    history = await again();
  }
  if (history === undefined) throw new Error('a history is always one row');
  if (!history.lockedByKnex) return history;
  throw new TenantctlError(
    'KNEX_LOCKED',
    `Knex's own lock on ${schema} is set: Knex is migrating it, or died while doing so.`,
    {
      tenant: target.clerkOrgId,
      hint: `If no Knex is running there, release it: UPDATE ${qualified(schema, lockTableOf(table))} SET is_locked = 0;`,
    },
  );
}
