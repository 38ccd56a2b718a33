import type { TenantctlError } from '../../errors.ts';
import { startStopwatch } from '../../stopwatch.ts';
import type { FailureLog } from '../ledger/failures.ts';
import type { BlockerWatch } from '../run/blockers.ts';
import type { Observer } from '../report/event.ts';
import { mayPass } from '../run/retry.ts';
import { isStopped, type RunContext } from '../run/run-context.ts';
import { exceededLimit } from '../run/timeout-limit.ts';
import { createSharedQueue, type SharedQueue } from './shared-queue.ts';
import type { Earlier, Failure, Outcome, Sighting, Task, Work } from './work.ts';
import { leavesCommitOpen } from '../run/unknown-commit.ts';

/** The state of one call of `serve`. */
export interface Session<T extends Task, Done> {
  readonly context: RunContext;
  readonly work: Work<T, Done>;
  readonly tasks: readonly T[];
  readonly outcomes: Outcome<T, Done>[];
  /** Tenants held by other runs. */
  readonly busy: Pending<T, Done>[];
  /** Failed with a transient error. */
  readonly again: Pending<T, Done>[];
  readonly blockers: BlockerWatch;
  readonly failures: FailureLog | undefined;
  isShared: boolean;
  /** Runs one function at a time. */
  readonly alone: <R>(use: () => Promise<R>) => Promise<R>;
}

export interface Pending<T extends Task, Done> extends Earlier<Done> {
  readonly task: T;
  /** The organization whose lock another run has, if not the task's. */
  readonly of?: string | undefined;
}

/** @param mayBeCommitted an earlier COMMIT of this task may have succeeded */
export function untried<T extends Task>(task: T, mayBeCommitted = false): Pending<T, never> {
  return { task, tries: 0, mayBeCommitted };
}

/** Attempts a task once a lane is free. @param queue notified if another run holds the tenant */
export async function attempt<T extends Task, Done>(
  session: Session<T, Done>,
  pending: Pending<T, Done>,
  queue?: SharedQueue<T>,
): Promise<void> {
  const { work, alone } = session;
  const inLane = () => work.lanes.run(() => attemptNow(session, pending, queue));
  await (work.isAlone?.(pending.task) === true ? alone(inLane) : inLane());
}

async function attemptNow<T extends Task, Done>(
  session: Session<T, Done>,
  pending: Pending<T, Done>,
  queue: SharedQueue<T> | undefined,
): Promise<void> {
  const { context, work } = session;
  const { task, failure } = pending;
  await context.throttle?.ready();
  if (isStopped(context)) {
    if (failure === undefined) skip(session, task);
    else end(session, { ...failure, task, durationMs: 0 });
    return;
  }
  const elapsedMs = startStopwatch();
  const finished = work.lanes.begin();
  const attempt = await work.attempt(task, pending);
  if (attempt.kind === 'busy' || attempt.kind === 'by-peer') queue?.met(task);
  if (attempt.kind === 'busy') {
    keepBusy(session, [{ ...pending, of: attempt.of }]);
    return;
  }
  finished(attempt.kind === 'failed' ? attempt.error : undefined);
  const durationMs = elapsedMs();
  if (attempt.kind === 'failed') settle(session, pending, durationMs, attempt);
  else end(session, { ...attempt, task, durationMs });
}

/** Keeps a task for a retry if its error is transient; otherwise it has failed. */
function settle<T extends Task, Done>(
  session: Session<T, Done>,
  pending: Pending<T, Done>,
  durationMs: number,
  failed: Failure<Done>,
): void {
  const { context } = session;
  const { task } = pending;
  const blockedBy = failed.error.sqlstate === '55P03' ? session.blockers.of(failed.pid) : [];
  const prepared = blockedBy.find(({ pid }) => pid === 0)?.query ?? undefined;
  const limit = exceededLimit(failed.error, context);
  const error = failed.error.with({
    ...(blockedBy.length > 0 && { blockedBy }),
    details: [limit, prepared && endPrepared(prepared)].filter((line) => line !== undefined),
  });
  const failure = { ...failed, error };
  // The statement was cancelled by a stop, which says nothing about the tenant.
  if (failure.mayRepeat && context.database.isCancelled) {
    skip(session, task);
    return;
  }
  const tries = pending.tries + 1;
  const isLast = tries > context.retries || isStopped(context);
  if (isLast || !failure.mayRepeat || !mayPass(error)) {
    end(session, { ...failure, task, durationMs });
    return;
  }
  const mayBeCommitted = pending.mayBeCommitted || leavesCommitOpen(error.sqlstate);
  session.again.push({ task, failure, tries, mayBeCommitted });
  noteRetry(session, task, error, tries);
}

/** Says that a tenant is tried again. @param tries how often it was tried so far */
export function noteRetry<T extends Task>(
  { work: { observe } }: { readonly work: { readonly observe: Observer } },
  task: T,
  error: TenantctlError,
  tries: number,
): void {
  observe({ type: 'retry', tenant: task.tenant, error, tries });
  observe({ type: 'note', message: `${nameOf(task)} is tried again: ${error.message}` });
}

/** No session ends a prepared transaction by itself (https://www.postgresql.org/docs/current/sql-prepare-transaction.html). */
function endPrepared(query: string): string {
  const [commit, rollback] = ['COMMIT', 'ROLLBACK'].map((end) =>
    query.replace('PREPARE TRANSACTION', `${end} PREPARED`),
  );
  return `A prepared transaction keeps a lock until somebody ends it: ${commit}; or ${rollback};`;
}

export function end<T extends Task, Done>(session: Session<T, Done>, outcome: Outcome<T, Done>): void {
  const { context, work, outcomes, failures, tasks } = session;
  outcomes.push(outcome);
  if (outcome.kind === 'failed') {
    failures?.add({ ...outcome, tenant: outcome.task.tenant });
    context.failureLimit?.failed();
  }
  work.onEnd?.(outcome, outcomes.length, tasks.length);
}

/** Skips a task that was not started, because the run was stopped. */
export function skip<T extends Task, Done>({ context, outcomes }: Session<T, Done>, task: T): void {
  outcomes.push({ kind: 'skipped', task, durationMs: 0, reason: whySkipped(context) });
}

export function whySkipped({ signal, failureLimit }: Pick<RunContext, 'signal' | 'failureLimit'>): string {
  const isLimit = signal?.aborted !== true && failureLimit?.isOpen === true;
  return isLimit ? 'the rollout was stopped' : 'the run was interrupted';
}

export function keepBusy<T extends Task, Done>(
  session: Session<T, Done>,
  pending: readonly Pending<T, Done>[],
): void {
  if (pending.length > 0) meet(session);
  session.busy.push(...pending);
}

export function leaveToPeers<T extends Task, Done>(session: Session<T, Done>, tasks: readonly T[]): void {
  if (tasks.length > 0) meet(session);
  for (const task of tasks) end(session, { kind: 'by-peer', task, durationMs: 0 });
}

function meet<T extends Task, Done>(session: Session<T, Done>): void {
  const { work } = session;
  if (session.isShared || work.look === undefined) return;
  session.isShared = true;
  work.observe({ type: 'note', message: 'Another run is at work on the same tenants: they are shared.' });
}

/** What other runs have done to tasks. If the query fails, each attempt finds out for itself. */
export async function look<T extends Task, Done>(
  { work }: Session<T, Done>,
  tasks: readonly T[],
): Promise<Sighting<T>> {
  const unknown: Sighting<T> = { done: [], locked: [], free: tasks };
  if (tasks.length === 0 || work.look === undefined) return unknown;
  return work.look(tasks).catch(() => unknown);
}

/** A queue of tasks that other runs may be processing as well. */
export function queueOf<T extends Task, Done>(
  session: Session<T, Done>,
  tasks: readonly T[],
): SharedQueue<T> {
  return createSharedQueue(tasks, {
    look: (some) => look(session, some),
    onDone: (done) => leaveToPeers(session, done),
    onLocked: (locked) =>
      keepBusy(
        session,
        locked.map((task) => untried(task)),
      ),
    random: Math.random,
  });
}

/** Attempts a queue's tasks in parallel; once the run is stopped, the rest are skipped. */
export async function serveQueue<T extends Task, Done>(
  session: Session<T, Done>,
  queue: SharedQueue<T>,
): Promise<void> {
  const { context, work } = session;
  const takeAll = async () => {
    while (!isStopped(context) && (await queue.fill())) {
      const task = queue.ready.shift();
      if (task !== undefined) await attempt(session, untried(task), queue);
    }
  };
  const [first] = queue.ready;
  const width = first !== undefined && work.isAlone?.(first) === true ? 1 : work.lanes.width;
  await Promise.all(Array.from({ length: width }, takeAll));
  for (const task of queue.clear()) skip(session, task);
}

function nameOf({ tenant }: Task): string {
  return tenant.clerkOrgId ?? 'The master schema';
}
