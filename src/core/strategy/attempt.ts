import { withBlockers, type BlockerWatch } from '../run/blockers.ts';
import { isStopped, type RunContext } from '../run/run-context.ts';
import { toResult, type FleetWork, type ServeOptions, type Served } from './work.ts';
import type { Advance } from '../apply/assignment.ts';
import { lookAtPeers } from './peers.ts';
import type { Sighting } from '../serve/work.ts';
import { untouched, type TenantResult } from '../report/results.ts';
import { leavesCommitOpen, mayPass } from '../run/retry.ts';
import type { FailureLog } from '../ledger/failure-log.ts';
import { createSharedQueue, type SharedQueue } from '../serve/shared-queue.ts';
import type { Due } from '../fleet/plan-fleet.ts';

/** The state of one run over its tenants. */
export interface Run {
  readonly context: RunContext;
  readonly work: FleetWork;
  readonly results: TenantResult[];
  /** Tenants that another run holds. */
  readonly busy: Unfinished[];
  /** Tenants whose errors may pass. */
  readonly again: Unfinished[];
  readonly blockers: BlockerWatch;
  readonly failures: FailureLog;
  readonly total: number;
  /** Another run was met that is at work on the same tenants. */
  isShared: boolean;
  /** One at a time. */
  readonly alone: <T>(task: () => Promise<T>) => Promise<T>;
}

/** A tenant that is not done with. */
export interface Unfinished {
  readonly due: Due;
  /** How the last try ended; absent before the first. */
  readonly served?: Served | undefined;
  /** How often it was tried. */
  readonly tries: number;
  /** It locks shared tables: no other tenant is served beside it. */
  readonly isAlone: boolean;
  /** The connection was lost in the middle: the history knows whether there was a COMMIT. */
  readonly mayBeCommitted: boolean;
}

/** A tenant that nothing has been tried with. */
export function untried(due: Due, more: Partial<Unfinished> = {}): Unfinished {
  return { due, tries: 0, isAlone: false, mayBeCommitted: false, ...more };
}

/** Serves one tenant, unless the run was told to stop; undefined then. */
export async function attempt(
  run: Run,
  unfinished: Unfinished,
  options: ServeOptions,
): Promise<Served | undefined> {
  const { due } = unfinished;
  await run.context.throttle?.ready();
  if (isStopped(run.context)) {
    if (unfinished.served === undefined) skip(run, due);
    else finish(run, due, Date.now(), unfinished.served);
    return undefined;
  }
  const started = Date.now();
  const end = run.work.lanes.begin();
  const served = await run.work.serve(due, options);
  if (served.outcome === 'busy') keepBusy(run, [unfinished]);
  else {
    end(served.error);
    settle(run, unfinished, started, served);
  }
  return served;
}

/** Whether another run has, or has had, a tenant that was due here. */
export function isPeers({ outcome, done }: Served): boolean {
  return outcome === 'busy' || (outcome === 'done' && done.length === 0);
}

/** Other runs are at work on these. */
export function keepBusy(run: Run, unfinished: readonly Unfinished[]): void {
  if (unfinished.length > 0) meet(run);
  run.busy.push(...unfinished);
}

/** The run has found out that it is not alone. */
function meet(run: Run): void {
  if (run.isShared) return;
  run.isShared = true;
  run.work.observe({ type: 'note', message: 'Another run is at work on the same tenants: they are shared.' });
  run.work.onMet?.();
}

/** What other runs have made of tenants. Where that cannot be found out, each tenant tells when it is its turn. */
export async function look({ context, work }: Run, dues: readonly Due[]): Promise<Sighting<Due>> {
  if (dues.length === 0) return { done: [], locked: [], free: [] };
  return lookAtPeers(context.database, dues, work.isDone).catch(() => ({ done: [], locked: [], free: dues }));
}

/** The queue of tenants with the same to be done. */
export function queueOf(run: Run, dues: readonly Due[]): SharedQueue<Due> {
  return createSharedQueue(dues, {
    look: (some) => look(run, some),
    onDone: (done) => leaveToPeers(run, done),
    onLocked: (locked) =>
      keepBusy(
        run,
        locked.map((due) => untried(due)),
      ),
    random: Math.random,
  });
}

/** Other runs have done what was due. */
export function leaveToPeers(run: Run, dues: readonly Due[]): void {
  if (dues.length > 0) meet(run);
  for (const due of dues) report(run, untouched(due.tenant, 'up-to-date'));
}

/** Keeps a tenant for later whose error may pass; else it is done with. */
export function settle(run: Run, unfinished: Unfinished, started: number, ended: Served): void {
  const { due } = unfinished;
  const served = withBlockers(withEarlier(ended, unfinished), run.blockers);
  const tries = unfinished.tries + 1;
  const { context } = run;
  if (served.outcome === 'failed' && served.mayRepeat === true && context.database.isCancelled) {
    skip(run, due);
    return;
  }
  const { error } = served;
  const isLast = tries > context.retries || isStopped(context);
  if (served.outcome !== 'failed' || error === undefined || isLast || !served.mayRepeat || !mayPass(error)) {
    finish(run, due, started, served);
    return;
  }
  const mayBeCommitted = unfinished.mayBeCommitted || leavesCommitOpen(error.sqlstate);
  run.again.push({ ...unfinished, served, tries, mayBeCommitted });
  run.work.observe({ type: 'note', message: `${due.tenant.clerkOrgId} is tried again: ${error.message}` });
}

/** How a try ended together with what earlier ones have done. */
function withEarlier(served: Served, { due, served: before, mayBeCommitted }: Unfinished): Served {
  const done = [...(before?.done ?? []), ...served.done];
  const wasCommitted = served.outcome === 'done' && done.length === 0 && mayBeCommitted;
  return wasCommitted
    ? { ...served, done: due.plan.steps.map(({ name }) => name), batch: due.plan.batch }
    : { ...served, done };
}

/** The tenant is done with. */
export function finish(run: Run, due: Due, started: number, served: Advance): void {
  const result = toResult(due, served, Date.now() - started, run.work.direction);
  const { outcome, error, durationMs } = result;
  if (outcome === 'failed' && error !== undefined)
    run.failures.add({ tenant: due.tenant, error, durationMs });
  report(run, result);
}

export function report({ context, results, work, total }: Run, result: TenantResult): void {
  results.push(result);
  if (result.outcome === 'failed') context.failureLimit?.failed();
  work.observe({ type: 'tenant', result, done: results.length, due: total });
}

/** The run was told to stop before the tenant was served. */
export function skip({ context, results }: Run, due: Due): void {
  results.push(untouched(due.tenant, 'skipped', { reason: whySkipped(context) }));
}

/** Why tenants are left that nobody came to. */
export function whySkipped({ signal, failureLimit }: Pick<RunContext, 'signal' | 'failureLimit'>): string {
  const isBraked = signal?.aborted !== true && failureLimit?.isOpen === true;
  return isBraked ? failureLimit.reason : 'the run was interrupted';
}
