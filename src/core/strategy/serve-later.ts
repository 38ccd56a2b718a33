import { toTenantctlError, type TenantctlError } from '../../errors.ts';
import { isStopped } from '../run/run-context.ts';
import { attempt, finish, leaveToPeers, look, skip, type Run, type Unfinished } from './attempt.ts';
import { createLockWait, lockTimeout } from '../run/lock-wait.ts';
import type { Advance } from '../apply/assignment.ts';
import { backoffMs, pause } from '../run/retry.ts';
import type { Due } from '../fleet/plan-fleet.ts';

/** Serves the tenants that could not be done with at the first try, until none is left. */
export async function serveLater(run: Run): Promise<void> {
  while (run.again.length > 0 || run.busy.length > 0) {
    await serveAgain(run);
    await serveBusy(run);
  }
}

/** Tenants whose errors may have passed: round by round, with longer and longer waits in between. */
async function serveAgain(run: Run): Promise<void> {
  const { context, work, again } = run;
  for (let round = 1; again.length > 0; round += 1) {
    const batch = again.splice(0);
    work.observe({ type: 'phase', message: `Trying ${batch.length} of the tenants again` });
    await pause(backoffMs(round, Math.random), context.signal);
    await Promise.all(
      batch.map((unfinished) => {
        const inLane = () => work.lanes.run(() => attempt(run, unfinished, { isPilot: false }));
        return unfinished.isAlone ? run.alone(inLane) : inLane();
      }),
    );
  }
}

/**
 * Tenants that other runs hold: what has become of all of them is asked again and again, in one query, until these are
 * done with them or let go of them, or the wait is over. It begins anew with every tenant that one of them finishes.
 */
async function serveBusy(run: Run): Promise<void> {
  const { context, work, busy } = run;
  let wait = createLockWait(context);
  while (busy.length > 0) {
    const batch = busy.splice(0);
    await context.throttle?.ready();
    if (isStopped(context)) {
      for (const { due } of batch) skip(run, due);
      return;
    }
    work.observe({
      type: 'phase',
      message: `Waiting for another run that is at work on ${batch.length} of the tenants`,
    });
    const { done, locked, free } = await look(
      run,
      batch.map(({ due }) => due),
    );
    leaveToPeers(run, done);
    const isIn = (dues: readonly Due[]) => {
      const some = new Set(dues);
      return ({ due }: Unfinished) => some.has(due);
    };
    busy.push(...batch.filter(isIn(locked)));
    await Promise.all(
      batch.filter(isIn(free)).map((unfinished) => {
        const inLane = () => work.lanes.run(() => attempt(run, unfinished, { isPilot: true }));
        return unfinished.isAlone ? run.alone(inLane) : inLane();
      }),
    );
    if (busy.length < batch.length) wait = createLockWait(context);
    const [next] = busy;
    if (next === undefined) return;
    const reason = await wait(next.due.tenant.clerkOrgId).catch(toTenantctlError);
    if (reason !== undefined) giveUp(run, reason);
  }
}

/** The wait for other runs is over, or the run was told to stop. */
function giveUp(run: Run, reason: TenantctlError): void {
  for (const { due, served } of run.busy.splice(0)) {
    if (reason.code === 'INTERRUPTED') {
      skip(run, due);
      continue;
    }
    const error = lockTimeout(run.context, due.tenant.clerkOrgId);
    finish(run, due, Date.now(), { ...NOTHING_DONE, ...served, outcome: 'failed', error });
  }
}

const NOTHING_DONE: Advance = { outcome: 'busy', done: [], batch: 0, warnings: [], isCommitted: false };
