import { toDatabaseError } from '../../db/database-error.ts';
import { keepLock } from '../../db/lock-keeper.ts';
import { IDLE_TIMEOUT_MS } from '../../db/dead-client.ts';
import { withTransaction, type OpenTransaction } from '../../db/transaction.ts';
import type { RunContext } from '../run/run-context.ts';
import { toSchemaBefore } from '../guard/before.ts';
import { reachesOutside, waitForOutside } from '../guard/one-at-a-time.ts';
import { readInvalidIndexes } from '../target/invalid-indexes.ts';
import { sqlstateOf } from './action-failure.ts';
import type { Advance, Assignment, Progress } from './assignment.ts';
import { ownSearchPath } from '../target/hand-over.ts';
import type { History, HistoryRow } from '../target/history.ts';
import { type Migration, runsInTransaction } from '../files/load.ts';
import { interrupted, poolerInBetween } from './outside-errors.ts';
import { runOutside } from './outside-transaction.ts';
import { runGroup } from './run-group.ts';
import { lastBatch, type Plan } from '../plan/plan.ts';
import type { Target } from '../target/target.ts';
import { LOCK_ONLY, lookUnderLock, readUnderLock, type Seen } from './under-lock.ts';

/**
 * Brings one target to where its assignment wants it: takes the lock, reads the history, decides, and runs the
 * migrations, each history row in the transaction of its migration. Consecutive migrations share one transaction; a
 * `transaction: false` migration stands alone between an intent and its record. Does not throw for the target.
 */
export async function advance(context: RunContext, target: Target, assignment: Assignment): Promise<Advance> {
  const progress: Progress = { done: [], warnings: new Set(), batch: 0, started: false, isCommitted: false };
  const result = (outcome: Advance['outcome'], more: Partial<Advance> = {}): Advance => ({
    outcome,
    done: progress.done,
    batch: progress.batch,
    isCommitted: progress.isCommitted,
    warnings: [...progress.warnings],
    observed: progress.observed,
    ...more,
  });
  try {
    for (;;) {
      const segment = await nextSegment(context, target, assignment, progress);
      if (segment.kind === 'busy') return result('busy');
      if (segment.kind === 'status') return result('status', { status: segment.status });
      progress.isCommitted = true;
      if (segment.kind === 'end') return result('done');
    }
  } catch (error) {
    return result('failed', {
      mayRepeat: progress.isOutside !== true,
      pid: progress.pid,
      error: toDatabaseError(error, {
        tenant: target.clerkOrgId,
        ...(progress.atWork !== undefined && { migration: progress.atWork, hint: atWorkHint(error) }),
      }).concealing(context.database.conceal),
    });
  }
}

type Segment =
  | { readonly kind: 'busy' }
  | { readonly kind: 'status'; readonly status: string | null }
  | { readonly kind: 'more' }
  /** The next migration runs outside a transaction: the lane for those has to be had first. */
  | { readonly kind: 'lane' }
  | { readonly kind: 'end' };

/** runSegment, also where the history tables that the run was planned with have gone since. */
async function nextSegment(
  context: RunContext,
  target: Target,
  assignment: Assignment,
  progress: Progress,
): Promise<Segment> {
  const segment = await runSegment(context, target, assignment, progress, false).catch((error: unknown) => {
    const isGone = ['42P01', '3F000'].includes(toDatabaseError(error).sqlstate ?? '');
    if (progress.started || assignment.hasTables !== true || !isGone) throw error;
    return runSegment(context, target, { ...assignment, hasTables: false }, progress, false);
  });
  if (segment.kind !== 'lane') return segment;
  // Nobody waits for the lane in an open transaction: CREATE INDEX CONCURRENTLY waits for every transaction that had a
  // snapshot when it looked, and the two would wait for each other.
  return context.alone(() => runSegment(context, target, assignment, progress, true));
}

/** One transaction's worth of work, or one migration outside a transaction. */
async function runSegment(
  context: RunContext,
  target: Target,
  assignment: Assignment,
  progress: Progress,
  isInLane: boolean,
): Promise<Segment> {
  let afterwards: (() => Promise<Segment>) | undefined;
  let outside: Promise<Segment> | undefined;
  const segment = await withTransaction(
    // Both connections of a migration outside a transaction are sessions: it may take longer than a pooler waits.
    isInLane ? await context.database.sessions() : context.database,
    {
      searchPath: ownSearchPath(target),
      lockTimeoutMs: context.lockTimeoutMs,
      statementTimeoutMs: context.statementTimeoutMs,
    },
    lookUnderLock(target, assignment),
    async (transaction): Promise<Segment> => {
      const giveBack = (): Segment => {
        transaction.abandon();
        return { kind: 'busy' };
      };
      const mustWait = (some: readonly Migration[]) => target.scope === 'tenants' && reachesOutside(some);
      const [lock, , look, noted, read] = transaction.opening;
      const seen = look?.rows[0] as Seen;
      const taken = lock?.rows[0] as { locked: boolean; pid: number } | undefined;
      progress.pid = taken?.pid;
      if (taken?.locked !== true) return giveBack();
      if (assignment.statuses !== undefined && !assignment.statuses.includes(seen.status ?? '')) {
        transaction.abandon();
        return { kind: 'status', status: seen.status };
      }
      if (seen.intent !== null) {
        throw interrupted(target, seen.intent, await readInvalidIndexes(transaction.client, [target.schema]));
      }
      const opened = !progress.started && assignment.opening !== undefined;
      if (opened) await assignment.opening?.(transaction.client);
      progress.started = true;

      const history = await readUnderLock(
        transaction.client,
        target,
        assignment,
        seen,
        read?.rows[0] as HistoryRow | undefined,
      );
      const plan = assignment.decide(history, progress.done);
      for (const warning of plan.warnings) progress.warnings.add(warning);
      if (plan.problem !== undefined) throw plan.problem.with({ tenant: target.clerkOrgId });
      if (progress.batch === 0) progress.batch = batchFor(plan, history, assignment);

      const migrations = await Promise.all(plan.steps.map((step) => context.load(step.file)));
      const alone = migrations.findIndex((each) => !runsInTransaction(each, assignment.direction));
      if (alone === 0) {
        const [step, migration] = [plan.steps[0], migrations[0]];
        if (step === undefined || migration === undefined) return { kind: 'end' };
        if (!context.database.hasSessions) throw poolerInBetween(step.name);
        // A second connection sees the schema and its history only when they are committed.
        if (opened || !seen.has_history || !seen.has_lock) return { kind: 'more' };
        if (!isInLane) {
          transaction.abandon();
          return { kind: 'lane' };
        }
        const isLast = plan.steps.length === 1;
        const perform = async (lost?: AbortSignal): Promise<Segment> => {
          await runOutside({ context, target, assignment, progress, step, migration, isLast, lost });
          return { kind: isLast ? 'end' : 'more' };
        };
        if (context.database.sharedSession) {
          // All connections are one session: the transaction has to end first. The folder's lock keeps others out.
          afterwards = perform;
          return { kind: 'more' };
        }
        // This transaction idles while a second connection does the work, and keeps nothing but the lock: a table
        // that it has read would be locked against a REINDEX, and nobody would see that the two wait for each other.
        await transaction.client.query(
          [`ROLLBACK TO SAVEPOINT ${LOCK_ONLY}`, ...however(context)].join(';\n'),
        );
        if (mustWait([migration]) && !(await waitForOutside(context, transaction.client))) return giveBack();
        outside = whileLocked(transaction, perform);
        return outside;
      }
      const group = alone === -1 ? plan.steps : plan.steps.slice(0, alone);
      const grouped = migrations.slice(0, group.length);
      const isLast = alone === -1;
      if (mustWait(grouped) && !(await waitForOutside(context, transaction.client))) return giveBack();
      const schemaBefore = target.scope === 'tenants' ? toSchemaBefore(noted?.rows[0]) : undefined;
      await runGroup(context, target, assignment, progress, transaction, {
        steps: group,
        migrations: grouped,
        isLast,
        schemaBefore,
      });
      return { kind: alone === -1 ? 'end' : 'more' };
    },
  ).catch((error: unknown) => {
    // Where the lock's connection was lost, the work is being stopped, or has ended: it knows which.
    if (outside === undefined) throw error;
    return outside;
  });
  return afterwards === undefined ? segment : afterwards();
}

function batchFor(plan: Plan, history: History, { batch }: Assignment): number {
  return batch !== undefined && plan.steps.length > 0 && lastBatch(history) === batch ? batch : plan.batch;
}

/** Runs `work` while the transaction keeps its lock; `work` is told when that is lost. */
async function whileLocked<T>(
  { client }: OpenTransaction,
  work: (lost: AbortSignal) => Promise<T>,
): Promise<T> {
  const keeper = keepLock(client);
  try {
    return await work(keeper.lost);
  } finally {
    await keeper.release();
  }
}

/** A transaction that only holds a lock may last as long as it has to. */
function however({ database }: RunContext): string[] {
  return database.serverVersion >= 170_000 ? ['SET LOCAL transaction_timeout = 0'] : [];
}

/** Why a transaction may end under a migration's hands, or not be committed with its record. */
function atWorkHint(error: unknown): string {
  return sqlstateOf(error) === '25P03'
    ? `The migration sent nothing for ${IDLE_TIMEOUT_MS / 1000} s, and the server ended its transaction: does it wait for something that never comes? What takes long belongs into SQL, or before the first query.`
    : 'The migration itself ran; the end of its transaction, or the record in the history, was refused. Correct the migration and run the command again: its transaction was rolled back.';
}
