import { toTenantctlError } from '../errors.ts';
import { attempt, finish, settle, skip, type Run } from './fleet-run.ts';
import { createLockWait } from './lock-wait.ts';
import { backoffMs, pause } from './retry.ts';

/** Serves the tenants that could not be done with at the first try, until none is left. */
export async function serveLater(run: Run): Promise<void> {
  while (run.again.length > 0 || run.busy.length > 0) {
    await serveAgain(run);
    await serveBusy(run);
  }
}

/** Tenants whose errors may have passed: round by round, with longer and longer waits in between. */
async function serveAgain(run: Run): Promise<void> {
  const { engine, work, again } = run;
  for (let round = 1; again.length > 0; round += 1) {
    const batch = again.splice(0);
    work.observe({ type: 'phase', message: `Trying ${batch.length} of the tenants again` });
    await pause(backoffMs(round, Math.random), engine.signal);
    await Promise.all(
      batch.map((unfinished) => {
        const inLane = () => work.lanes.run(() => attempt(run, unfinished, { isPilot: false }));
        return unfinished.isAlone ? run.alone(inLane) : inLane();
      }),
    );
  }
}

/** Tenants that another run holds: asked again and again, until it is done with them or the wait is over. */
async function serveBusy(run: Run): Promise<void> {
  const { engine, work, busy } = run;
  if (busy.length === 0) return;
  work.observe({
    type: 'phase',
    message: `Waiting for another run that is at work on ${busy.length} of the tenants`,
  });
  const wait = createLockWait(engine);
  for (const unfinished of busy.splice(0)) {
    const { due } = unfinished;
    const started = Date.now();
    for (;;) {
      await engine.pace?.ready();
      if (engine.brake?.isOpen === true) {
        skip(run, due);
        break;
      }
      const served = await work.serve(due, { isPilot: true });
      if (served.outcome !== 'busy') {
        settle(run, unfinished, started, served);
        break;
      }
      const reason = await wait(due.tenant.clerkOrgId).catch(toTenantctlError);
      if (reason?.code === 'INTERRUPTED') {
        skip(run, due);
        break;
      }
      if (reason !== undefined) {
        finish(run, due, started, { ...served, outcome: 'failed', error: reason });
        break;
      }
    }
  }
}
