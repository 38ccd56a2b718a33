import pLimit from 'p-limit';
import { createFailureLog } from '../ledger/failures.ts';
import { watchBlockers } from '../run/blockers.ts';
import type { RunContext } from '../run/run-context.ts';
import { serveLater } from './serve-later.ts';
import { queueOf, serveQueue, type Session } from './session.ts';
import type { Outcome, Task, Work } from './work.ts';

/** How the tasks of a run ended. */
export interface Served<T extends Task, Done> {
  /** One for each task, in the order in which they ended. */
  readonly outcomes: readonly Outcome<T, Done>[];
  /** Another run was met that works on the same tenants. */
  readonly isShared: boolean;
}

/**
 * Performs a task for each of many tenants: the one loop for all work over the fleet.
 *
 * Tasks run side by side, as many as there are lanes. A task that fails with an error that may pass
 * (src/core/run/retry.ts) is attempted again after the others, up to `context.retries` times, with growing waits. A
 * tenant that another run holds is attempted again until `context.lockWaitMs` have passed without progress. When the
 * run is stopped (`context.signal`, `context.failureLimit`), no attempt is begun, and the tasks that are left are
 * skipped; `context.throttle` delays attempts. One task's failure is that task's.
 *
 * @param pass makes the first pass over all tasks; by default, they are attempted side by side, in order
 * @throws whatever `work.attempt` or `pass` throws
 */
export async function serve<T extends Task, Done>(
  context: RunContext,
  tasks: readonly T[],
  work: Work<T, Done>,
  pass: (session: Session<T, Done>) => Promise<void> = (session) =>
    serveQueue(session, queueOf(session, tasks)),
): Promise<Served<T, Done>> {
  const { database, run, lockTimeoutMs } = context;
  const { ledger, observe } = work;
  const session: Session<T, Done> = {
    context,
    work,
    tasks,
    outcomes: [],
    busy: [],
    again: [],
    blockers: watchBlockers(database, lockTimeoutMs),
    failures: ledger === undefined ? undefined : createFailureLog(database, run, { ...ledger, observe }),
    isShared: false,
    alone: pLimit(1),
  };
  try {
    await pass(session);
    await serveLater(session);
  } finally {
    session.blockers.stop();
    await session.failures?.written();
  }
  return { outcomes: session.outcomes, isShared: session.isShared };
}
