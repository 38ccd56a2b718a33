import pLimit from 'p-limit';
import { createFailureLog } from '../ledger/failures.ts';
import { watchBlockers } from '../run/blockers.ts';
import type { RunContext } from '../run/run-context.ts';
import { serveLater } from './serve-later.ts';
import { queueOf, serveQueue, type Session } from './session.ts';
import type { Outcome, Task, Work } from './work.ts';

export interface Served<T extends Task, Done> {
  /** One per task, in the order in which they ended. */
  readonly outcomes: readonly Outcome<T, Done>[];
  /** Another run worked on the same tenants. */
  readonly isShared: boolean;
}

/**
 * Runs a task for each of many tenants in parallel lanes: the only loop over the fleet. Transient errors
 * (src/core/run/retry.ts) are retried after the other tasks, up to `context.retries` times, with backoff. A
 * tenant that another run holds is retried until `context.lockWaitMs` have passed without progress. Once the
 * run is stopped (`context.signal`, `context.failureLimit`), the remaining tasks are skipped;
 * `context.throttle` delays attempts.
 * @param pass makes the first pass over all tasks; by default in order, in parallel
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
