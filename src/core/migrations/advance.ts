import type { PoolClient } from 'pg';
import { toDatabaseError } from '../../db/database-error.ts';
import { literal } from '../../db/sql.ts';
import {
  setSearchPath,
  tryLock,
  withClient,
  withTransaction,
  type OpenTransaction,
} from '../../db/transaction.ts';
import { TenantctlError } from '../../errors.ts';
import type { Engine } from '../engine.ts';
import { deleteIntent, insertIntent } from '../state.ts';
import { runAction, runsInTransaction, type Direction } from './action.ts';
import {
  createHistoryTables,
  deleteHistory,
  EMPTY_HISTORY,
  historyReader,
  insertHistory,
  lockTableOf,
  selectHistory,
  type History,
} from './history.ts';
import type { Migration } from './load.ts';
import type { Plan, Step } from './plan.ts';
import type { Target } from './target.ts';

/** What is to be done to a target. The decision is made anew from the history, under the lock. */
export interface Assignment {
  readonly direction: Direction;
  /** Pure: what to do to a schema with this history, of which this much is done already. */
  decide(history: History, done: readonly string[]): Plan;
  /** Only a tenant whose registry row has one of these statuses is worked on; not asked for the master schema. */
  readonly statuses?: readonly string[];
  /** Run in the first transaction, under the lock, before the history is read: create the schema, say. */
  readonly opening?: ((client: PoolClient) => Promise<void>) | undefined;
  /** Run in the transaction of the first migration, after it. */
  readonly afterFirst?: ((client: PoolClient) => Promise<void>) | undefined;
  /** Run in each transaction before it commits, after its migrations. */
  readonly beforeCommit?: ((client: PoolClient) => Promise<void>) | undefined;
  /** Statements that go with the last row of the history, in its transaction; sent even when nothing was due. */
  readonly closing?: readonly string[];
  /** The tenantctl schema is there, so that intents can be kept. */
  readonly hasState: boolean;
}

/** What became of a target. `done` is what was applied or reverted, also where a later migration failed. */
export interface Advance {
  readonly outcome: 'done' | 'busy' | 'status' | 'failed';
  readonly done: readonly string[];
  /** The batch in the history; 0 where nothing was done. */
  readonly batch: number;
  readonly warnings: readonly string[];
  readonly error?: TenantctlError;
  /** The registry's status where the outcome is 'status'; null where the row is gone. */
  readonly status?: string | null;
}

interface Progress {
  readonly done: string[];
  readonly warnings: Set<string>;
  batch: number;
  started: boolean;
}

/**
 * Brings one target to where its assignment wants it: takes the lock, reads the history, decides, and runs the
 * migrations, each history row in the transaction of its migration. Consecutive migrations share one transaction; a
 * `transaction: false` migration stands alone between an intent and its record. Does not throw for the target.
 */
export async function advance(engine: Engine, target: Target, assignment: Assignment): Promise<Advance> {
  const progress: Progress = { done: [], warnings: new Set(), batch: 0, started: false };
  const result = (outcome: Advance['outcome'], more: Partial<Advance> = {}): Advance => ({
    outcome,
    done: progress.done,
    batch: progress.batch,
    warnings: [...progress.warnings],
    ...more,
  });
  try {
    for (;;) {
      const segment = await runSegment(engine, target, assignment, progress);
      if (segment.kind === 'busy') return result('busy');
      if (segment.kind === 'status') return result('status', { status: segment.status });
      if (segment.kind === 'end') return result('done');
    }
  } catch (error) {
    return result('failed', { error: toDatabaseError(error, { tenant: target.clerkOrgId }) });
  }
}

type Segment =
  | { readonly kind: 'busy' }
  | { readonly kind: 'status'; readonly status: string | null }
  | { readonly kind: 'more' }
  | { readonly kind: 'end' };

/** One transaction's worth of work, or one migration outside a transaction. */
async function runSegment(
  engine: Engine,
  target: Target,
  assignment: Assignment,
  progress: Progress,
): Promise<Segment> {
  let afterwards: (() => Promise<Segment>) | undefined;
  const segment = await withTransaction(
    engine.database,
    { searchPath: target.searchPath, lockTimeoutMs: engine.lockTimeoutMs },
    [lookUnderLock(target, assignment)],
    async (transaction): Promise<Segment> => {
      const seen = transaction.opening[0]?.rows[0] as Seen;
      if (!seen.locked) {
        transaction.abandon();
        return { kind: 'busy' };
      }
      if (assignment.statuses !== undefined && !assignment.statuses.includes(seen.status ?? '')) {
        transaction.abandon();
        return { kind: 'status', status: seen.status };
      }
      if (seen.intent !== null) throw interrupted(target, seen.intent);
      const opened = !progress.started && assignment.opening !== undefined;
      if (opened) await assignment.opening?.(transaction.client);
      progress.started = true;

      const history = await readUnderLock(transaction, target, assignment, seen);
      const plan = assignment.decide(history, progress.done);
      for (const warning of plan.warnings) progress.warnings.add(warning);
      if (plan.problem !== undefined) throw plan.problem.with({ tenant: target.clerkOrgId });
      if (progress.batch === 0) progress.batch = plan.batch;

      const migrations = await Promise.all(plan.steps.map((step) => engine.load(step.file)));
      const alone = migrations.findIndex((each) => !runsInTransaction(each, assignment.direction));
      if (alone === 0) {
        const [step, migration] = [plan.steps[0], migrations[0]];
        if (step === undefined || migration === undefined) return { kind: 'end' };
        // A second connection sees the schema and its history only when they are committed.
        if (opened || !seen.has_history || !seen.has_lock) return { kind: 'more' };
        const isLast = plan.steps.length === 1;
        const perform = () => runOutside(engine, target, assignment, progress, step, migration, isLast);
        if (engine.database.sharedSession) {
          // All connections are one session: the transaction has to end first. The folder's lock keeps others out.
          afterwards = perform;
          return { kind: 'more' };
        }
        // This transaction idles and keeps the lock while a second connection does the work.
        await transaction.client.query('SET LOCAL idle_in_transaction_session_timeout = 0');
        return engine.alone(perform);
      }
      const group = alone === -1 ? plan.steps : plan.steps.slice(0, alone);
      await runGroup(engine, target, assignment, progress, transaction, group, migrations, alone === -1);
      return { kind: alone === -1 ? 'end' : 'more' };
    },
  );
  return afterwards === undefined ? segment : afterwards();
}

interface Seen {
  readonly locked: boolean;
  readonly status: string | null;
  readonly intent: string | null;
  readonly has_history: boolean;
  readonly has_lock: boolean;
}

function lookUnderLock(target: Target, assignment: Assignment): string {
  const table = (name: string) =>
    `EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(${literal(target.schema)}))
             AND relname = ${literal(name)} AND relkind IN ('r', 'p'))`;
  return `SELECT ${tryLock(target.lock)} AS locked,
    ${
      assignment.statuses === undefined
        ? 'NULL::text'
        : `(SELECT status::text FROM public.tenants WHERE schema_name = ${literal(target.schema)})`
    } AS status,
    ${
      assignment.hasState
        ? `(SELECT migration FROM tenantctl.intents WHERE schema_name = ${literal(target.schema)})`
        : 'NULL::text'
    } AS intent,
    ${table(target.historyTable)} AS has_history, ${table(lockTableOf(target.historyTable))} AS has_lock`;
}

async function readUnderLock(
  transaction: OpenTransaction,
  target: Target,
  assignment: Assignment,
  seen: Seen,
): Promise<History> {
  const { client } = transaction;
  const { schema, historyTable: table } = target;
  if (!seen.has_history || !seen.has_lock) {
    if (assignment.direction === 'down' && !seen.has_history) return EMPTY_HISTORY;
    await client.query(createHistoryTables(schema, table).join(';\n'));
  }
  const tables = { schema, table, hasHistory: true, hasLock: true };
  const { rows } = await client.query(selectHistory(tables, { takeKnexLock: true }));
  const history = historyReader()(rows[0]);
  if (history.lockedByKnex) throw lockedByKnex(target);
  return history;
}

/** Consecutive migrations in the open transaction; it is committed together with the last one's record. */
async function runGroup(
  engine: Engine,
  target: Target,
  assignment: Assignment,
  progress: Progress,
  transaction: OpenTransaction,
  group: readonly Step[],
  migrations: readonly Migration[],
  isLast: boolean,
): Promise<void> {
  const { client } = transaction;
  const { direction } = assignment;
  let records: string[] = [];
  for (const [index, step] of group.entries()) {
    const migration = migrations[index];
    if (migration === undefined) break;
    // The record of the migration before, and the search_path in case it moved that.
    if (records.length > 0) await client.query([...records, setSearchPath(target.searchPath)].join(';\n'));
    await runAction(client, engine.knex, migration, { target, direction });
    if (index === 0 && progress.done.length === 0) await assignment.afterFirst?.(client);
    records = [record(target, direction, step, progress.batch)];
  }
  if (group.length > 0) await assignment.beforeCommit?.(client);
  await transaction.commitWith([...records, ...(isLast ? (assignment.closing ?? []) : [])]);
  progress.done.push(...group.map((step) => step.name));
}

/** One migration with no transaction around it, on a connection of its own, between its intent and its record. */
async function runOutside(
  engine: Engine,
  target: Target,
  assignment: Assignment,
  progress: Progress,
  step: Step,
  migration: Migration,
  isLast: boolean,
): Promise<Segment> {
  const { database } = engine;
  if (database.behindPooler) {
    throw new TenantctlError(
      'POOLER_UNSUPPORTED',
      `${step.name} runs outside a transaction and needs a session of its own, and a connection pooler is in between.`,
      {
        migration: step.name,
        hint: 'Connect to the server itself for this run: DB_HOST and DB_PORT of PostgreSQL, not of the pooler.',
      },
    );
  }
  await withClient(database, async (client) => {
    try {
      await client.query(insertIntent(target.schema, step.name, assignment.direction));
      await client.query(setSearchPath(target.searchPath).replace('SET LOCAL', 'SET'));
      await runAction(client, engine.knex, migration, { target, direction: assignment.direction });
      const closing = isLast ? (assignment.closing ?? []) : [];
      await client.query(
        [
          'BEGIN',
          record(target, assignment.direction, step, progress.batch),
          deleteIntent(target.schema),
          ...closing,
          'COMMIT',
        ].join(';\n'),
      );
    } catch (error) {
      // The server has answered, so what happened is known: the intent goes, and the error tells.
      await client.query('ROLLBACK').catch(() => {});
      await client.query(deleteIntent(target.schema)).catch(() => {});
      throw outsideFailure(error, step);
    } finally {
      await client.query('DISCARD ALL').catch(() => {});
    }
  });
  progress.done.push(step.name);
  return { kind: isLast ? 'end' : 'more' };
}

function record(target: Target, direction: Direction, step: Step, batch: number): string {
  return direction === 'up'
    ? insertHistory(target.schema, target.historyTable, step.name, batch)
    : deleteHistory(target.schema, target.historyTable, step.name);
}

/** That something remains is more urgent than how the migration is put right, so this hint stands in the other's place. */
function outsideFailure(error: unknown, step: Step): TenantctlError {
  const { code, message, sqlstate, tenant, migration, statement, details, cause } = toDatabaseError(error, {
    migration: step.name,
  });
  return new TenantctlError(code, message, {
    sqlstate,
    tenant,
    migration,
    statement,
    details,
    cause,
    hint: `${step.name} runs outside a transaction: what it did before it failed remains (an index may be left INVALID). Look, put it right, and run the command again.`,
  });
}

function lockedByKnex(target: Target): TenantctlError {
  const table = `"${target.schema}"."${lockTableOf(target.historyTable)}"`;
  return new TenantctlError(
    'KNEX_LOCKED',
    `Knex's own lock on ${target.schema} is set: a Knex is migrating it, or died while it did.`,
    {
      tenant: target.clerkOrgId,
      hint: `When no Knex is at work there, free it: UPDATE ${table} SET is_locked = 0;`,
    },
  );
}

function interrupted(target: Target, migration: string): TenantctlError {
  const history = `"${target.schema}"."${target.historyTable}"`;
  return new TenantctlError(
    'MIGRATION_INTERRUPTED',
    `${migration} began outside a transaction in ${target.schema}, and how it ended is not known: the command was killed.`,
    {
      tenant: target.clerkOrgId,
      migration,
      hint:
        `Look whether its work is there. If it is: INSERT INTO ${history} (name, batch, migration_time) ` +
        `SELECT ${literal(migration)}, coalesce(max(batch), 0) + 1, now() FROM ${history}; ` +
        `if it is not, undo what is half done. Then, in both cases: ${deleteIntent(target.schema)};`,
    },
  );
}
