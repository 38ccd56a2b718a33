import { DatabaseError } from 'pg';
import type { TenantStatus } from '../../names.ts';
import { statusValues } from '../registry/registry-sql.ts';
import type { Pipeline } from '../../db/pipeline.ts';
import { messageOf } from '../../errors.ts';
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
import { historyAfter } from '../plan/history-after.ts';

/** A tenant that comes back. */
export interface Returned {
  readonly task: MigrationTask;
  /** The connection was lost while its string was under way: its history knows whether it was carried out. */
  readonly isLost: boolean;
}

export interface SendToAllOptions {
  readonly lanes: Lanes;
  /** One tenant at a time. */
  readonly isAlone: boolean;
  readonly statuses: readonly TenantStatus[];
  readonly opening?: ((task: MigrationTask) => readonly string[]) | undefined;
  readonly closing: (task: MigrationTask) => readonly string[];
  /** Told of each tenant that is done, and how many milliseconds the server was at work on it. */
  readonly onDone: (task: MigrationTask, durationMs: number) => void;
  /** Told of each tenant that is another run's: one that is at work on it, or has been. */
  readonly onPeers: (task: MigrationTask, isAtWork: boolean) => void;
}

/** What tenantctl.enter raises where another run holds the tenant, and where it is not as the plan assumed. */
const IS_BUSY = 'TCT01';
const IS_CHANGED = 'TCT02';

/**
 * Sends a compiled plan to many tenants, each a string and a transaction of its own. A string that fails has been
 * rolled back whole. Where somebody was in the way (a lock, a deadlock, a cancel) it is sent once more after the
 * others; where another run has the tenant, that is told; else it is returned, to be gone through one statement at a
 * time. Where the server refuses a string of several statements (42601; Citus does), they go one at a time, without
 * waiting for each other's answers. What nobody came to, since the run was told to stop, stays in the queue; or since,
 * if all that are returned failed, it would be: those have to be seen to first.
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
  let isOneByOne = false;
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
        send: (pipeline, task) =>
          isOneByOne ? sendOneByOne(pipeline, statementsOf(task)) : sendWhole(pipeline, statementsOf(task)),
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
          else if (sqlstate === '42601' && !isOneByOne) {
            isOneByOne = true;
            ready.unshift(task);
          } else interactive.push({ task, isLost: leavesCommitOpen(sqlstate) });
        },
      });
      refusals = isServed ? 0 : refusals + 1;
      if (isServed) return true;
      // The server restarts, say: the strings are kept for when it is back. In the end, a tenant says what is wrong.
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

/** Tenants that are taken from the front, whatever others do. */
function plainly(ready: MigrationTask[]): Pick<SharedQueue<MigrationTask>, 'ready' | 'size' | 'fill'> {
  return { ready, size: ready.length, fill: () => Promise.resolve(ready.length > 0) };
}

async function sendWhole(pipeline: Pipeline, statements: readonly string[]): Promise<void> {
  await pipeline.send(asOneString(statements));
}

/** All statements are sent before the first is answered: behind one that fails, the server refuses the rest. */
async function sendOneByOne(pipeline: Pipeline, statements: readonly string[]): Promise<void> {
  const answers = await Promise.allSettled(statements.map((statement) => pipeline.send(statement)));
  const failed = answers.find((answer) => answer.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  const end = answers[statements.indexOf('COMMIT')];
  const result = end?.status === 'fulfilled' ? end.value : undefined;
  if (Array.isArray(result) || result?.command !== 'COMMIT') {
    throw new Error(`The transaction was not committed: ${messageOf(result)}`);
  }
}

/** What is sent to each of the tenants. The server is told before of the histories that they will have. */
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
    const expected = task.tenant.tables.hasHistory ? digest(entries) : null;
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
