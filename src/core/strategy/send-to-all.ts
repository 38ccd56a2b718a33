import { DatabaseError } from 'pg';
import type { TenantStatus } from '../../names.ts';
import { statusValues } from '../registry/registry-sql.ts';
import { isStopped, type RunContext } from '../run/run-context.ts';
import type { Lanes } from '../run/lanes.ts';
import type { CompiledPlan } from './compiled.ts';
import { asOneString, createComposer } from './compose.ts';
import type { History } from '../target/history.ts';
import { tenantTarget } from '../target/target.ts';
import { backoffMs, leavesCommitOpen, mayResend, pause } from '../run/retry.ts';
import { createRunAhead } from './run-ahead.ts';
import type { SharedQueue } from '../serve/shared-queue.ts';
import { digester, knowHistories } from '../stamps/stamps.ts';
import { drain } from './drain.ts';
import type { MigrationTask } from '../fleet/plan-fleet.ts';
import { historyAfter } from '../plan/plan.ts';

/** A tenant that is to be served statement by statement. */
export interface Returned {
  readonly task: MigrationTask;
  /** The connection was lost while its string was under way: it may have been committed. */
  readonly isLost: boolean;
}

export interface SendToAllOptions {
  readonly lanes: Lanes;
  /** One tenant at a time. */
  readonly isAlone: boolean;
  readonly statuses: readonly TenantStatus[];
  readonly opening?: ((task: MigrationTask) => readonly string[]) | undefined;
  readonly closing: (task: MigrationTask) => readonly string[];
  /** Called for each tenant that is done, with the milliseconds that the server took. */
  readonly onDone: (task: MigrationTask, durationMs: number) => void;
  /** Called for each tenant that another run works on, or has changed. */
  readonly onPeers: (task: MigrationTask, isAtWork: boolean) => void;
}

/** The errors of tenantctl.enter: another run holds the tenant; it is not as the plan assumed. */
const IS_BUSY = 'TCT01';
const IS_CHANGED = 'TCT02';

/**
 * Sends a compiled plan to many tenants, to each as one string and one transaction. A string that fails has been rolled
 * back. It is sent once more if somebody was in the way (a lock, a deadlock, a cancel); else its tenant is returned, to
 * be served statement by statement. When the run is stopped, or would be if all those that are returned failed, the
 * tenants that were not begun stay in the queue.
 */
export async function sendToAll(
  context: RunContext,
  queue: SharedQueue<MigrationTask>,
  tasks: readonly MigrationTask[],
  compiled: CompiledPlan,
  options: SendToAllOptions,
): Promise<Returned[]> {
  const statementsOf = await correspondence(context, tasks, compiled, options);
  const width = options.isAlone ? 1 : options.lanes.width;
  const interactive: Returned[] = [];
  const runAhead = createRunAhead();
  let refusals = 0;
  const isOver = () => isStopped(context) || context.failureLimit?.wouldOpen(interactive.length) === true;
  const round = async (
    waiting: Pick<SharedQueue<MigrationTask>, 'ready' | 'size' | 'fill'>,
  ): Promise<MigrationTask[]> => {
    const again: MigrationTask[] = [];
    const { ready } = waiting;
    const turn = async (): Promise<boolean> => {
      await context.throttle?.ready();
      if (isOver() || !(await waiting.fill())) return false;
      const isServed = await drain(context, ready, {
        send: (pipeline, task) => pipeline.send(asOneString(statementsOf(task))),
        runAhead,
        width,
        onDone: options.onDone,
        begin: options.lanes.begin,
        isClean: compiled.isClean,
        mayBegin: () => !isOver() && context.throttle?.isHeld !== true,
        onFailed(task, error) {
          const sqlstate = error instanceof DatabaseError ? error.code : undefined;
          if (sqlstate === '25P02') ready.unshift(task);
          else if (sqlstate === IS_BUSY || sqlstate === IS_CHANGED)
            options.onPeers(task, sqlstate === IS_BUSY);
          else if (mayResend(sqlstate)) again.push(task);
          else interactive.push({ task, isLost: leavesCommitOpen(sqlstate) });
        },
      });
      refusals = isServed ? 0 : refusals + 1;
      if (isServed) return true;
      // No connection: the server may be restarting. In the end, an attempt at one tenant reports the error.
      if (refusals <= context.retries) await pause(backoffMs(refusals, Math.random), context.signal);
      else interactive.push(...ready.splice(0, 1).map((task) => ({ task, isLost: false })));
      return true;
    };
    const lanes = Array.from({ length: Math.min(width, waiting.size) }, async () => {
      while (await options.lanes.run(turn));
    });
    await Promise.all(lanes);
    return again;
  };

  const again = await round(queue);
  const still = await round(plainly(again));
  queue.ready.push(...again);
  return [...interactive, ...still.map((task) => ({ task, isLost: false }))];
}

/** A queue that is not shared. */
function plainly(ready: MigrationTask[]): Pick<SharedQueue<MigrationTask>, 'ready' | 'size' | 'fill'> {
  return { ready, size: ready.length, fill: () => Promise.resolve(ready.length > 0) };
}

/** Composes what is sent to each tenant, and makes the histories that they will have known to the server. */
async function correspondence(
  context: RunContext,
  tasks: readonly MigrationTask[],
  compiled: CompiledPlan,
  { statuses, opening, closing }: SendToAllOptions,
): Promise<(task: MigrationTask) => string[]> {
  const digest = digester();
  const after = new Map<History['entries'], History['entries']>();
  for (const { history, plan } of tasks) {
    if (!after.has(history.entries))
      after.set(history.entries, historyAfter(history, plan, compiled.direction));
  }
  await context.database.query(knowHistories([...after.values()]));

  const composers = new Map<string, ReturnType<typeof createComposer>>();
  return (task) => {
    const { entries } = task.history;
    const expected = task.tenant.hasHistory ? digest(entries) : null;
    const { batch } = task.plan;
    const key = `${expected} ${batch}`;
    let compose = composers.get(key);
    if (compose === undefined) {
      const becomes = digest(after.get(entries) ?? []);
      const { lockTimeoutMs, statementTimeoutMs, database } = context;
      const { deadClientSettings } = database;
      const sending = {
        statuses: statusValues(context.database.names, statuses),
        lockTimeoutMs,
        statementTimeoutMs,
        deadClientSettings,
        run: context.run?.id,
      };
      compose = createComposer(compiled, { batch, expected, becomes }, sending);
      composers.set(key, compose);
    }
    return compose(tenantTarget(context.database.names, task.tenant, context), {
      opening: opening?.(task) ?? [],
      closing: closing(task),
    });
  };
}
