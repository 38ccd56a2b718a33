import { serverHint } from '../../db/server-hint.ts';
import { isLoss, toDatabaseError } from '../../db/database-error.ts';
import { keepLock, type LockKeeper } from '../../db/lock-keeper.ts';
import { withTransaction, type OpenTransaction } from '../../db/transaction.ts';
import { passingOf } from '../../transient.ts';
import { traitsOf, type RunContext } from '../run/run-context.ts';
import { runsInTransaction } from '../files/load.ts';
import { isOutsideSchema } from '../guard/errors.ts';
import { reachesOutside, waitForOutside } from '../guard/one-at-a-time.ts';
import type { Advanced, Assignment, TargetJob } from './assignment.ts';
import { ownSearchPath } from '../target/control.ts';
import { poolerInBetween } from './outside-errors.ts';
import { runOutside } from './outside-transaction.ts';
import { runGroup } from './run-group.ts';
import { untrustedHistory } from './untrusted-history.ts';
import { readFacts, type NotServed } from './read-facts.ts';
import type { Segment } from './segment.ts';
import type { Target } from '../target/target.ts';
import { lacksCommit } from '../statements/needs-commit.ts';
import { LOCK_ONLY, lookUnderLock } from './under-lock.ts';

/** Performs an assignment, segment by segment. Never throws for errors that concern only its target. */
export async function advance(
  context: RunContext,
  target: Target,
  assignment: Assignment,
): Promise<Advanced> {
  const progress: TargetJob['progress'] = {
    names: [],
    batch: 0,
    started: false,
    completed: 0,
    isCommitted: false,
    observed: [],
  };
  const job = { context, target, assignment, progress };
  try {
    for (let isOutside = await beginsOutside(context, assignment); ;) {
      const end = await serveSegment(job, isOutside);
      if (end.kind === 'busy') return end;
      if (end.kind === 'status') return { ...end, done: progress };
      if (end.kind !== 'other') progress.isCommitted = true;
      if (end.kind === 'end') return { kind: 'done', done: progress };
      ({ isOutside } = end);
    }
  } catch (error) {
    return {
      kind: 'failed',
      done: progress,
      mayRepeat: progress.isOutside !== true,
      pid: progress.pid,
      error: (
        untrustedHistory(error, target, progress.atWork) ??
        toDatabaseError(error, {
          tenant: target.clerkOrgId,
          // A lost connection is not the migration's fault.
          ...(progress.atWork !== undefined &&
            !isLoss(error) && { migration: progress.atWork, hint: atWorkHint(error) }),
        })
      ).concealing(context.database.conceal),
    };
  }
}

/** How a segment ended; 'busy' and 'status' as in Advanced. */
type SegmentEnd =
  | NotServed
  /** `isOutside` is what is expected of the next segment. */
  | { readonly kind: 'more'; readonly isOutside: boolean }
  /** Nothing was done: the segment is not of the expected kind. */
  | { readonly kind: 'other'; readonly isOutside: boolean }
  | { readonly kind: 'end' };

async function beginsOutside(
  context: RunContext,
  { planned = [], direction, hooks }: Assignment,
): Promise<boolean> {
  const [first] = planned;
  if (first === undefined || hooks?.before !== undefined) return false;
  return !runsInTransaction(await traitsOf(context, first.file, direction), direction);
}

/** @param isOutside whether the segment is expected to run outside a transaction */
async function serveSegment(job: TargetJob, isOutside: boolean): Promise<SegmentEnd> {
  const { assignment, progress } = job;
  const wasStarted = progress.started;
  // Wait for the turn without a transaction: CREATE INDEX CONCURRENTLY waits for all that have a snapshot.
  const run = (one: TargetJob) =>
    isOutside ? one.context.database.alone(() => runSegment(one, true)) : runSegment(one, false);
  const again = () => {
    progress.started = wasStarted;
    return run(job);
  };
  const end = await run(job).catch((thrown: unknown) => {
    const error = toDatabaseError(thrown);
    const { suspicion } = progress;
    if (suspicion !== undefined)
      return again().catch((found: unknown) => {
        throw isOutsideSchema(found) || passingOf(found) !== undefined ? found : suspicion;
      });
    if (!isOutside && progress.completed > 0 && lacksCommit(error.sqlstate, error.message)) {
      progress.isOneByOne = true;
      return again();
    }
    // The history tables known at planning time may be gone (42P01, 3F000): look for them first.
    const isGone = ['42P01', '3F000'].includes(error.sqlstate ?? '');
    if (progress.started || assignment.hasTables !== true || !isGone) throw thrown;
    return run({ ...job, assignment: { ...assignment, hasTables: false } });
  });
  // The opening was rolled back.
  if (end.kind === 'other') progress.started = wasStarted;
  return end;
}

async function runSegment(job: TargetJob, isOutside: boolean): Promise<SegmentEnd> {
  const { context, target, assignment } = job;
  const { lockTimeoutMs, statementTimeoutMs, database } = context;
  let outside: Promise<SegmentEnd> | undefined;
  let afterwards: (() => Promise<SegmentEnd>) | undefined;
  const end = await withTransaction(
    // A migration outside a transaction needs sessions: it may outlast a pooler's timeouts.
    isOutside && database.hasSessions ? await database.sessions() : database,
    { searchPath: ownSearchPath(target), lockTimeoutMs, statementTimeoutMs },
    lookUnderLock(target, assignment, !isOutside),
    async (transaction): Promise<SegmentEnd> => {
      const abandon = (with_: SegmentEnd) => {
        transaction.abandon();
        return with_;
      };
      const facts = await readFacts(job, transaction, isOutside);
      if ('kind' in facts) return facts.kind === 'opened' ? { kind: 'more', isOutside } : abandon(facts);
      const { segment, schemaBefore } = facts;
      if (segment.isOutside && !database.hasSessions) throw poolerInBetween(segment.steps[0]?.name ?? '');
      if (segment.isOutside !== isOutside) return abandon({ kind: 'other', isOutside: segment.isOutside });
      if (!isOutside) {
        if (!(await mayReach(job, segment, transaction))) return abandon({ kind: 'busy' });
        const isEnd = await runGroup(job, transaction, segment, schemaBefore);
        return isEnd ? { kind: 'end' } : { kind: 'more', isOutside: !segment.isLast };
      }
      // A second connection sees the schema and its history only after the commit.
      if (facts.isNew) return { kind: 'more', isOutside };
      const perform = async (keeper?: LockKeeper): Promise<SegmentEnd> => {
        try {
          const isComplete = await runOutside(job, segment, keeper?.lost);
          return segment.isLast && isComplete ? { kind: 'end' } : { kind: 'more', isOutside: !isComplete };
        } finally {
          await keeper?.release();
        }
      };
      if (!database.hasParallelSessions) {
        // All connections are one session: end the transaction first. The folder's lock keeps others out.
        afterwards = perform;
        return { kind: 'more', isOutside };
      }
      // Only the target's lock: a table lock could block a REINDEX on the other connection forever.
      await transaction.client.query(`ROLLBACK TO SAVEPOINT ${LOCK_ONLY}`);
      // Nothing in it is to be kept, and a COMMIT would wait for the disk.
      transaction.abandon();
      if (!(await mayReach(job, segment, transaction))) return { kind: 'busy' };
      outside = perform(keepLock(transaction.client));
      return outside;
    },
  ).catch((error: unknown) => {
    // If the lock's connection was lost, the work outside knows how it ended.
    if (outside === undefined) throw error;
    return outside;
  });
  return afterwards === undefined ? end : afterwards();
}

/** Waits for the lock of tenant migrations that reach outside. @returns false if it was not granted */
async function mayReach(
  { context, target }: TargetJob,
  { migrations }: Segment,
  { client }: OpenTransaction,
): Promise<boolean> {
  return target.scope === 'master' || !reachesOutside(migrations) || waitForOutside(context, client);
}

function atWorkHint(error: unknown): string {
  const { sqlstate, message } = toDatabaseError(error);
  return (
    serverHint(sqlstate, message) ??
    'The migration itself ran; the end of its transaction, or the record in the history, was refused. Correct the migration and run the command again: its transaction was rolled back.'
  );
}
