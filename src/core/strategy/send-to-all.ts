import { DatabaseError } from 'pg';
import type { Applied } from '../apply/assignment.ts';
import type { MigrationTask } from '../fleet/plan-fleet.ts';
import { historyAfter } from '../plan/plan.ts';
import { statusValues } from '../registry/registry-sql.ts';
import { backoffMs, mayResend, pause } from '../run/retry.ts';
import { isStopped } from '../run/run-context.ts';
import {
  attempt,
  end,
  keepBusy,
  leaveToPeers,
  look,
  untried,
  type Pending,
  type Session,
} from '../serve/session.ts';
import type { SharedQueue } from '../serve/shared-queue.ts';
import { digester, knowHistories } from '../stamps/stamps.ts';
import type { History } from '../target/history.ts';
import { tenantTarget } from '../target/target.ts';
import type { CompiledPlan } from './compiled.ts';
import { asOneString, createComposer } from './compose-string.ts';
import { drain } from './drain.ts';
import type { Lesson } from './pilots.ts';
import type { MigrationWork } from './migration-work.ts';
import { createRunAhead } from './run-ahead.ts';
import { leavesCommitOpen } from '../run/unknown-commit.ts';

export interface PlanGroup {
  readonly session: Session<MigrationTask, Applied>;
  readonly migration: MigrationWork;
  readonly tasks: readonly MigrationTask[];
  readonly queue: SharedQueue<MigrationTask>;
  readonly lesson: Lesson;
}

/** Errors of tenantctl.enter: another run holds the tenant; the tenant differs from what the plan assumes. */
const IS_BUSY = 'TCT01';
const IS_CHANGED = 'TCT02';

/** in_failed_sql_transaction: an earlier string has failed. */
const IS_BEHIND_A_FAILURE = '25P02';

/**
 * Sends a compiled plan to the tenants of a queue, to each as one string and one transaction. A failed string
 * was rolled back: it is resent once after a lock timeout, a deadlock or a cancel; otherwise its tenant is
 * retried statement by statement at the end. When the run is stopped, or would be if all those retries
 * failed, the remaining tenants stay in the queue.
 */
export async function sendToAll(group: PlanGroup, compiled: CompiledPlan): Promise<void> {
  const { session, queue, lesson } = group;
  const { context } = session;
  const { lanes } = group.migration;
  const { ready } = queue;
  const statementsOf = await correspondence(group, compiled);
  const names = compiled.steps.map(({ name }) => name);
  const width = lesson.locksShared ? 1 : lanes.width;
  const runAhead = createRunAhead();
  const resent = new Set<MigrationTask>();
  const returned: Pending<MigrationTask, Applied>[] = [];
  const changed: MigrationTask[] = [];
  let refusals = 0;
  const isOver = () => isStopped(context) || context.failureLimit?.wouldOpen(returned.length) === true;

  const onFailed = (task: MigrationTask, error: unknown) => {
    const sqlstate = error instanceof DatabaseError ? error.code : undefined;
    if (sqlstate === IS_BUSY || sqlstate === IS_CHANGED) queue.met(task);
    if (sqlstate === IS_BEHIND_A_FAILURE) ready.unshift(task);
    else if (sqlstate === IS_BUSY) keepBusy(session, [untried(task)]);
    else if (sqlstate === IS_CHANGED) changed.push(task);
    else if (mayResend(sqlstate) && !resent.has(task)) {
      resent.add(task);
      ready.push(task);
    } else returned.push(untried(task, leavesCommitOpen(sqlstate)));
  };
  const turn = async (): Promise<boolean> => {
    await context.throttle?.ready();
    if (isOver() || !(await queue.fill())) return false;
    const isServed = await drain(context, ready, {
      send: (pipeline, task) =>
        pipeline.send(asOneString(statementsOf(task)), (notice) =>
          context.notices.add(notice, names, task.tenant.schema),
        ),
      runAhead,
      width,
      begin: lanes.begin,
      mayBegin: () => !isOver() && context.throttle?.isHeld !== true,
      onDone(task, durationMs) {
        const done = { names, batch: task.plan.batch, isCommitted: true };
        end(session, { kind: 'done', task, durationMs, done });
      },
      onFailed,
    });
    refusals = isServed ? 0 : refusals + 1;
    // No connection: the server may be restarting. In the end, an attempt at one tenant reports the error.
    if (refusals > context.retries) returned.push(...ready.splice(0, 1).map((task) => untried(task)));
    else if (refusals > 0) await pause(backoffMs(refusals, Math.random), context.signal);
    return true;
  };
  const takeTurns = async () => {
    while (await lanes.run(turn));
  };
  await Promise.all(Array.from({ length: Math.min(width, queue.size) }, takeTurns));

  const { done, locked, free } = await look(session, changed);
  leaveToPeers(session, done);
  returned.push(...[...locked, ...free].map((task) => untried(task)));
  await Promise.all(returned.map((pending) => attempt(session, pending, queue)));
}

/** Composes each tenant's string, and registers the resulting histories with the server. */
async function correspondence(
  { session: { context }, migration, tasks }: PlanGroup,
  compiled: CompiledPlan,
): Promise<(task: MigrationTask) => string[]> {
  const { database } = context;
  const digest = digester();
  const after = new Map<History['entries'], History['entries']>();
  for (const { history, plan } of tasks) {
    if (!after.has(history.entries))
      after.set(history.entries, historyAfter(history, plan, compiled.direction));
  }
  await database.query(knowHistories([...after.values()]));

  const statuses = statusValues(database.names, migration.statuses);
  const composers = new Map<string, ReturnType<typeof createComposer>>();
  return (task) => {
    const { tenant, plan, history } = task;
    const expected = tenant.hasHistory ? digest(history.entries) : null;
    const key = `${expected} ${plan.batch}`;
    let compose = composers.get(key);
    if (compose === undefined) {
      const becomes = digest(after.get(history.entries) ?? []);
      compose = createComposer(context, compiled, { statuses, batch: plan.batch, expected, becomes });
      composers.set(key, compose);
    }
    const opening = migration.opening?.(task) ?? [];
    return compose(tenantTarget(database.names, tenant, context), opening, migration.closing(task));
  };
}
