import { TenantctlError } from '../../errors.ts';
import { backoffMs, pause } from '../run/retry.ts';
import { isStopped } from '../run/run-context.ts';
import { attempt, end, leaveToPeers, look, skip, type Pending, type Session } from './session.ts';
import type { Task } from './work.ts';

/** Milliseconds between two checks of tenants that other runs hold. */
const POLL_MS = 150;

/** Retries the tasks that did not end in the first pass, until none is left. */
export async function serveLater<T extends Task, Done>(session: Session<T, Done>): Promise<void> {
  while (session.again.length > 0 || session.busy.length > 0) {
    await serveAgain(session);
    await serveBusy(session);
  }
}

/** Retries transient failures in rounds, with growing waits between them. */
async function serveAgain<T extends Task, Done>(session: Session<T, Done>): Promise<void> {
  const { context, work, again } = session;
  for (let round = 1; again.length > 0; round += 1) {
    const batch = again.splice(0);
    work.observe({ type: 'phase', message: `Trying ${some(batch)} again` });
    await pause(backoffMs(round, Math.random), context.signal);
    await Promise.all(batch.map((pending) => attempt(session, pending)));
  }
}

/** Polls these tenants in one query: waiting in the server would block every CREATE INDEX CONCURRENTLY. */
async function serveBusy<T extends Task, Done>(session: Session<T, Done>): Promise<void> {
  const { context, work, busy } = session;
  let waitsSince = performance.now();
  while (busy.length > 0) {
    const batch = busy.splice(0);
    await context.throttle?.ready();
    if (isStopped(context)) {
      for (const { task } of batch) skip(session, task);
      return;
    }
    work.observe({ type: 'phase', message: `Waiting for another run that is at work on ${some(batch)}` });
    const sighting = await look(
      session,
      batch.map(({ task }) => task),
    );
    leaveToPeers(session, sighting.done);
    const isIn = (tasks: readonly T[]) => {
      const set = new Set(tasks);
      return ({ task }: Pending<T, Done>) => set.has(task);
    };
    busy.push(...batch.filter(isIn(sighting.locked)));
    await Promise.all(batch.filter(isIn(sighting.free)).map((pending) => attempt(session, pending)));
    if (busy.length < batch.length) waitsSince = performance.now();
    if (busy.length === 0) return;
    const isOver = performance.now() - waitsSince >= context.lockWaitMs;
    if (isOver && context.signal?.aborted !== true) giveUp(session);
    else await pause(POLL_MS, context.signal);
  }
}

function giveUp<T extends Task, Done>(session: Session<T, Done>): void {
  for (const { task, failure, of } of session.busy.splice(0)) {
    const tenant = of ?? task.tenant.clerkOrgId;
    const whom = tenant === undefined ? 'the master schema' : `"${tenant}"`;
    const error = new TenantctlError(
      'LOCK_TIMEOUT',
      `Another run was still at work on ${whom} after ${session.context.lockWaitMs / 1000} s.`,
      {
        tenant,
        hint: 'Wait for it to end and run the command again, or allow more time with LOCK_WAIT_TIMEOUT_MS.',
      },
    );
    end(session, { kind: 'failed', task, error, done: failure?.done, durationMs: 0 });
  }
}

function some(batch: readonly Pending<Task, unknown>[]): string {
  const isMaster = batch.every(({ task }) => task.tenant.clerkOrgId === undefined);
  return isMaster ? 'the master schema' : `${batch.length} of the tenants`;
}
