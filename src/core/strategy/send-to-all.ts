import { DatabaseError } from 'pg';
import { toDatabaseError } from '../../db/database-error.ts';
import type { ServerNotice } from '../../db/database.ts';
import type { Pipeline } from '../../db/pipeline.ts';
import type { Applied } from '../apply/assignment.ts';
import type { MigrationFile } from '../files/source.ts';
import type { MigrationTask } from '../fleet/plan-fleet.ts';
import type { Plan } from '../plan/plan.ts';
import { backoffMs, mayResend, pause } from '../run/retry.ts';
import { isStopped, type RunContext } from '../run/run-context.ts';
import { leavesCommitOpen } from '../run/unknown-commit.ts';
import {
  attempt,
  end,
  keepBusy,
  leaveToPeers,
  look,
  noteRetry,
  untried,
  type Pending,
} from '../serve/session.ts';
import { tenantTarget } from '../target/target.ts';
import { isOneString, type CompiledPlan } from './compiled.ts';
import type { PlanGroup } from './plan-group.ts';
import { createTransactionsFor, type TransactionsFor } from './transactions-for.ts';
import { drain } from './drain.ts';
import { PILOTS, type Lesson } from './pilots.ts';
import { createRunAhead, ONE_AT_A_TIME } from './run-ahead.ts';
import { AnswerDiffersError, sendParts } from './send-parts.ts';

/** Errors of tenantctl.enter: another run holds the tenant; the tenant differs from what the plan assumes. */
const IS_BUSY = 'TCT01';
const IS_CHANGED = 'TCT02';
/** Error of the guard. */
const IS_OUTSIDE = 'TCT03';

/** in_failed_sql_transaction: an earlier string has failed. */
const IS_BEHIND_A_FAILURE = '25P02';

/**
 * Sends a compiled plan to the tenants of a queue, one transaction each, or several if a migration needs the COMMIT of
 * another. What fails was rolled back: it is resent once after a lock timeout, a deadlock or a cancel; otherwise its
 * tenant is retried statement by statement at the end. When the run is stopped, or would be if all those retries
 * failed, or when a migration turns out to be answered differently, the remaining tenants stay in the queue.
 */
export async function sendToAll(group: PlanGroup, compiled: CompiledPlan): Promise<void> {
  const { session, queue, lesson } = group;
  const { context } = session;
  const { lanes } = group.migration;
  const { ready } = queue;
  const transactionsFor = await createTransactionsFor(group, compiled);
  const width = lesson.locksShared ? 1 : lanes.width;
  const runAhead = isOneString(compiled) ? createRunAhead() : ONE_AT_A_TIME;
  const resent = new Set<MigrationTask>();
  const returned: Pending<MigrationTask, Applied>[] = [];
  const changed: MigrationTask[] = [];
  const committed = new Map<MigrationTask, readonly string[]>();
  const differed = new Map<string, number>();
  let [refusals, served] = [0, 0];
  const isOver = () =>
    isStopped(context) ||
    lesson.compiled !== compiled ||
    context.failureLimit?.wouldOpen(returned.length) === true;

  const send = taskSender(context, compiled, transactionsFor, (task, done) => committed.set(task, done));
  const onFailed = (task: MigrationTask, error: unknown) => {
    const sqlstate = error instanceof DatabaseError ? error.code : undefined;
    const done = committed.get(task);
    noteDifference(lesson, error, differed, served);
    if (sqlstate === IS_BUSY || sqlstate === IS_CHANGED) queue.met(task);
    if (done !== undefined) returned.push(continued(group, task, done, error));
    else if (sqlstate === IS_BEHIND_A_FAILURE) ready.unshift(task);
    else if (sqlstate === IS_BUSY) keepBusy(session, [untried(task)]);
    else if (sqlstate === IS_CHANGED) changed.push(task);
    else if (mayResend(sqlstate) && !resent.has(task)) {
      resent.add(task);
      ready.push(task);
      noteRetry(session, task, toDatabaseError(error), 1);
    } else {
      forgetKept(lesson);
      returned.push(untried(task, leavesCommitOpen(sqlstate)));
    }
  };
  const turn = async (): Promise<boolean> => {
    await context.throttle?.ready();
    if (isOver() || !(await queue.fill())) return false;
    const isServed = await drain(context, ready, {
      send,
      runAhead,
      width,
      begin: lanes.begin,
      mayBegin: () => !isOver() && context.throttle?.isHeld !== true,
      onDone(task, durationMs) {
        served += 1;
        lesson.isProven = true;
        end(session, { kind: 'done', task, durationMs, done: doneOf(group, task, committed.get(task)) });
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

/** Sends a task's transactions, one after the other. @param onCommitted gets what is done of it after each */
function taskSender(
  context: RunContext,
  { direction, steps }: CompiledPlan,
  transactionsFor: TransactionsFor,
  onCommitted: (task: MigrationTask, done: readonly string[]) => void,
): (pipeline: Pipeline, task: MigrationTask) => Promise<void> {
  const names = steps.map(({ name }) => name);
  return async (pipeline, task) => {
    const { tenant, plan } = task;
    const target = tenantTarget(context.database.names, tenant, context);
    const fileOf = (name: string) => fileIn(plan, name);
    const onNotice = (notice: ServerNotice) => context.notices.add(notice, names, tenant.schema);
    for (const { done, parts } of transactionsFor(task, target)) {
      await sendParts({ context, pipeline, target, direction, fileOf, onNotice }, parts);
      onCommitted(task, done);
    }
  };
}

function doneOf(
  { migration }: PlanGroup,
  { plan, part }: MigrationTask,
  names: readonly string[] = [],
): Applied {
  const isCreated = migration.opening !== undefined && part?.isFirst !== false;
  return { names, batch: plan.batch, isCommitted: true, isCreated };
}

/** A task of which some transactions are committed. */
function continued(
  group: PlanGroup,
  task: MigrationTask,
  names: readonly string[],
  error: unknown,
): Pending<MigrationTask, Applied> {
  const done = doneOf(group, task, names);
  const failure = { kind: 'failed', error: toDatabaseError(error), done, mayRepeat: true } as const;
  return { ...untried(task), failure };
}

/**
 * What one pilot has shown is doubted if it does not fit the first tenant that is sent it, which is a pilot then. What
 * the guard refuses later, and Knex may do, the others may do as well. Knex runs a migration that more tenants answer
 * differently than in the expected way.
 * @param differed how many tenants answer each migration differently @param served how many do not
 */
function noteDifference(lesson: Lesson, error: unknown, differed: Map<string, number>, served: number): void {
  const isAnswer = error instanceof AnswerDiffersError;
  const isRefused = error instanceof DatabaseError && error.code === IS_OUTSIDE;
  if (!isAnswer && !isRefused) return;
  if (!lesson.isProven && lesson.testimonies.length === 1) {
    lesson.isDoubted = true;
    lesson.compiled = undefined;
  } else if (isRefused && lesson.pilots < PILOTS) lesson.compiled = undefined;
  if (!isAnswer) return;
  const { migration } = error;
  const count = (differed.get(migration) ?? 0) + 1;
  differed.set(migration, count);
  // What an earlier run has kept is forgotten: see forgetKept.
  if (!lesson.isProven && lesson.testimonies.length < 2) return;
  if (count <= lesson.testimonies.length + served) return;
  lesson.compiled = undefined;
  lesson.varying = new Map(lesson.varying).set(migration, 'tenants answer it differently');
}

/** What earlier runs have kept fails for the first tenant, which is a pilot then. */
function forgetKept(lesson: Lesson): void {
  if (lesson.isProven || lesson.kept.size === 0) return;
  lesson.kept = new Map();
  lesson.compiled = undefined;
}

function fileIn({ steps }: Plan, migration: string): MigrationFile {
  const step = steps.find(({ name }) => name === migration);
  if (step === undefined) throw new Error(`${migration} is not in the plan`);
  return step.file;
}
