import type { FailureLog } from '../ledger/failures.ts';
import type { BlockerWatch } from '../run/blockers.ts';
import { leavesCommitOpen, mayPass } from '../run/retry.ts';
import { isStopped, type RunContext } from '../run/run-context.ts';
import { createSharedQueue, type SharedQueue } from './shared-queue.ts';
import type { Earlier, Failure, Outcome, Sighting, Task, Work } from './work.ts';

/** The state of one call of `serve`. A first pass uses it through the functions below. */
export interface Session<T extends Task, Done> {
  readonly context: RunContext;
  readonly work: Work<T, Done>;
  readonly tasks: readonly T[];
  readonly outcomes: Outcome<T, Done>[];
  /** Tasks whose tenants other runs hold. */
  readonly busy: Pending<T, Done>[];
  /** Tasks that failed with an error that may pass. */
  readonly again: Pending<T, Done>[];
  readonly blockers: BlockerWatch;
  readonly failures: FailureLog | undefined;
  /** Another run was met that works on the same tenants. */
  isShared: boolean;
  /** Runs one at a time. */
  readonly alone: <R>(use: () => Promise<R>) => Promise<R>;
}

/** A task that has not ended. */
export interface Pending<T extends Task, Done> extends Earlier<Done> {
  readonly task: T;
}

/** A task that has not been attempted. @param mayBeCommitted it was begun by other means, and its COMMIT is unknown */
export function untried<T extends Task>(task: T, mayBeCommitted = false): Pending<T, never> {
  return { task, tries: 0, mayBeCommitted };
}

/**
 * Attempts a task as soon as a lane is free.
 * @param queue the queue that it is from, which is told if another run is met
 */
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
  const started = Date.now();
  const finished = work.lanes.begin();
  const attempt = await work.attempt(task, pending);
  if (attempt.kind === 'busy' || attempt.kind === 'by-peer') queue?.met(task);
  if (attempt.kind === 'busy') {
    keepBusy(session, [pending]);
    return;
  }
  finished(attempt.kind === 'failed' ? attempt.error : undefined);
  const durationMs = Date.now() - started;
  if (attempt.kind === 'failed') settle(session, pending, durationMs, attempt);
  else end(session, { ...attempt, task, durationMs });
}

/** Keeps a task for another attempt if its error may pass; otherwise it has failed. */
function settle<T extends Task, Done>(
  session: Session<T, Done>,
  pending: Pending<T, Done>,
  durationMs: number,
  failed: Failure<Done>,
): void {
  const { context, work } = session;
  const { task } = pending;
  const blockedBy = failed.error.sqlstate === '55P03' ? session.blockers.of(failed.pid) : [];
  const error = blockedBy.length === 0 ? failed.error : failed.error.with({ blockedBy });
  const failure = { ...failed, error };
  // Stopped at once: the statement was cancelled, which says nothing about the tenant.
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
  work.observe({ type: 'note', message: `${nameOf(task)} is tried again: ${error.message}` });
}

/** The task has ended. */
export function end<T extends Task, Done>(session: Session<T, Done>, outcome: Outcome<T, Done>): void {
  const { context, work, outcomes, failures, tasks } = session;
  outcomes.push(outcome);
  if (outcome.kind === 'failed') {
    failures?.add({ ...outcome, tenant: outcome.task.tenant });
    context.failureLimit?.failed();
  }
  work.onEnd?.(outcome, outcomes.length, tasks.length);
}

/** The run was stopped before anything was done for the task. */
export function skip<T extends Task, Done>({ context, outcomes }: Session<T, Done>, task: T): void {
  outcomes.push({ kind: 'skipped', task, durationMs: 0, reason: whySkipped(context) });
}

/** Why tasks are skipped that were not begun. */
export function whySkipped({ signal, failureLimit }: Pick<RunContext, 'signal' | 'failureLimit'>): string {
  const isLimit = signal?.aborted !== true && failureLimit?.isOpen === true;
  return isLimit ? failureLimit.reason : 'the run was interrupted';
}

/** Other runs hold these tenants. */
export function keepBusy<T extends Task, Done>(
  session: Session<T, Done>,
  pending: readonly Pending<T, Done>[],
): void {
  if (pending.length > 0) meet(session);
  session.busy.push(...pending);
}

/** Other runs have done these tasks. */
export function leaveToPeers<T extends Task, Done>(session: Session<T, Done>, tasks: readonly T[]): void {
  if (tasks.length > 0) meet(session);
  for (const task of tasks) end(session, { kind: 'by-peer', task, durationMs: 0 });
}

/** The run has found out that it is not the only one. */
function meet<T extends Task, Done>(session: Session<T, Done>): void {
  const { work } = session;
  if (session.isShared || work.look === undefined) return;
  session.isShared = true;
  work.observe({ type: 'note', message: 'Another run is at work on the same tenants: they are shared.' });
}

/** What other runs have made of tasks. If that cannot be found out, each attempt will tell. */
export async function look<T extends Task, Done>(
  { work }: Session<T, Done>,
  tasks: readonly T[],
): Promise<Sighting<T>> {
  const unknown: Sighting<T> = { done: [], locked: [], free: tasks };
  if (tasks.length === 0 || work.look === undefined) return unknown;
  return work.look(tasks).catch(() => unknown);
}

/** A queue of tasks, which other runs may be working through as well. */
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

/** Attempts all tasks of a queue side by side; when the run is stopped, the rest of them is skipped. */
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
