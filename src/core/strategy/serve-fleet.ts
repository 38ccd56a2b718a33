import pLimit from 'p-limit';
import { createRecording, type Recording } from '../../db/knex/recording.ts';
import { watchBlockers } from '../run/blockers.ts';
import { isStopped, type RunContext } from '../run/run-context.ts';
import { limitsOf, type Limits } from '../guard/limits.ts';
import { reachesOutside } from '../guard/one-at-a-time.ts';
import { serveLater } from './serve-later.ts';
import {
  attempt,
  isPeers,
  keepBusy,
  leaveToPeers,
  look,
  queueOf,
  report,
  skip,
  untried,
  type Run,
  type Unfinished,
} from './attempt.ts';
import { toResult, type FleetWork, type Lesson } from './work.ts';
import type { Advance } from '../apply/assignment.ts';
import { compile, type CompiledPlan, type Uniform } from './compiled.ts';
import { type Migration, runsInTransaction } from '../files/load.ts';
import type { TenantResult } from '../report/results.ts';
import { createFailureLog } from '../ledger/failure-log.ts';
import { sendToAll } from './send-to-all.ts';
import type { SharedQueue } from '../serve/shared-queue.ts';
import { planKey, type Due } from '../fleet/plan-fleet.ts';

/** How many tenants are gone through one after the other, in the hope of two that show what all will be sent. */
const PILOTS = 5;

/** How many are tried for that, those included that another run turns out to have. */
const MOST_TRIES = 20;

/**
 * Serves the tenants that are due: the first of each distinct plan alone, the others of it then side by side, as many
 * as there are lanes. Where the first two of a plan were sent the same, and surely nothing else can follow from the
 * third, the others are each sent the whole in one string. Where another run is met, the two share the tenants
 * (src/core/serve/shared-queue.ts). A tenant that another run is at work on is tried again after the others, until the context's lockWaitMs is over; one whose error may pass is tried again after the others, as
 * often as the context's retries say. One tenant's failure is that tenant's.
 */
export async function serveFleet(
  context: RunContext,
  dues: readonly Due[],
  work: FleetWork,
): Promise<TenantResult[]> {
  const run: Run = {
    context,
    work,
    results: [],
    busy: [],
    again: [],
    blockers: watchBlockers(context.database, context.lockTimeoutMs),
    failures: createFailureLog(context.database, context.run, work),
    total: dues.length,
    isShared: false,
    alone: pLimit(1),
  };
  const byPlan = Map.groupBy(dues, ({ plan }) => planKey(plan));
  try {
    await Promise.all([...byPlan.values()].map((same) => servePlan(run, same)));
    await serveLater(run);
  } finally {
    run.blockers.stop();
    await run.failures.written();
  }
  return run.results;
}

/** Tenants with the same to be done. */
async function servePlan(run: Run, dues: readonly Due[]): Promise<void> {
  const { work } = run;
  const queue = queueOf(run, dues);
  const lesson = lessonFor(work, dues);
  const isMany = dues.length > 2 || work.lessons !== undefined;
  const migrations = await migrationsOf(run, dues);
  // What says that it reaches outside its schema is looked at with every tenant, one at a time.
  const isReaching = reachesOutside(migrations);
  lesson.locksShared ||= isReaching;
  const isTransactional = migrations.every((migration) => runsInTransaction(migration, work.direction));
  const mayCompile = work.compile && isMany && isTransactional && !isReaching;
  await servePilots(run, queue, lesson, mayCompile);
  if (mayCompile && lesson.compiled === undefined) lesson.compiled = await compiledFrom(run, dues, lesson);
  const { compiled, locksShared } = lesson;
  if (compiled === undefined || compiled === 'never') await serveQueue(run, queue, locksShared);
  else {
    while (queue.size > 0 && !isStopped(run.context)) {
      const rest = await sendWhole(run, queue, dues, compiled, locksShared);
      await Promise.all(rest.map((unfinished) => serveOne(run, queue, unfinished, locksShared)));
    }
  }
  for (const due of queue.clear()) skip(run, due);
}

/** Goes through the plan with its first tenants, one after the other. Those that another run has do not count. */
async function servePilots(
  run: Run,
  queue: SharedQueue<Due>,
  lesson: Lesson,
  mayCompile: boolean,
): Promise<void> {
  const wantsPilot = () =>
    lesson.pilots === 0 ||
    (mayCompile && lesson.pilots < PILOTS && lesson.seen.length < 2 && !lesson.isDependent);
  for (let tries = 0; tries < MOST_TRIES && wantsPilot() && !isStopped(run.context); tries += 1) {
    const due = (await queue.fill()) ? queue.ready.shift() : undefined;
    if (due === undefined) return;
    const recordings = new Map<string, Recording>();
    const record = (name: string) => {
      const recording = createRecording();
      recordings.set(name, recording);
      return recording;
    };
    const options = { isPilot: lesson.pilots === 0, record: mayCompile ? record : undefined };
    const inLane = () => run.work.lanes.run(() => attempt(run, untried(due), options));
    const served = await (lesson.locksShared ? run.alone(inLane) : inLane());
    if (served === undefined) return;
    if (isPeers(served)) {
      queue.met(due);
      continue;
    }
    lesson.pilots += 1;
    lesson.locksShared ||= served.locksShared;
    if (served.outcome === 'done' && served.done.length === due.plan.steps.length) {
      lesson.seen.push(recordings);
      if (served.observed !== undefined) lesson.observedEffects.push(served.observed);
    }
    // What keeps one tenant from being sent the whole keeps the others, too.
    lesson.isDependent ||=
      lesson.seen.length > 0 && [...recordings.values()].some(({ dependence }) => dependence !== undefined);
  }
}

/** What is known of a plan; what is learned of it now is kept where there is a place for it. */
function lessonFor({ lessons }: FleetWork, [due]: readonly Due[]): Lesson {
  const key = due === undefined ? '' : planKey(due.plan);
  const lesson = lessons?.get(key) ?? {
    pilots: 0,
    seen: [],
    observedEffects: [],
    isDependent: false,
    locksShared: false,
  };
  lessons?.set(key, lesson);
  return lesson;
}

/** Goes through the tenants of a queue statement by statement, side by side unless they lock shared tables. */
async function serveQueue(run: Run, queue: SharedQueue<Due>, locksShared: boolean): Promise<void> {
  const takeAll = async () => {
    while (!isStopped(run.context) && (await queue.fill())) {
      const due = queue.ready.shift();
      if (due !== undefined) await serveOne(run, queue, untried(due), locksShared);
    }
  };
  await Promise.all(Array.from({ length: locksShared ? 1 : run.work.lanes.width }, takeAll));
}

async function serveOne(
  run: Run,
  queue: SharedQueue<Due>,
  unfinished: Unfinished,
  locksShared: boolean,
): Promise<void> {
  const inLane = () =>
    run.work.lanes.run(async () => {
      const served = await attempt(run, { ...unfinished, isAlone: locksShared }, { isPilot: false });
      if (served !== undefined && isPeers(served)) queue.met(unfinished.due);
    });
  await (locksShared ? run.alone(inLane) : inLane());
}

/** The migrations of the plan. */
function migrationsOf({ context }: Run, [due]: readonly Due[]): Promise<Migration[]> {
  return Promise.all(due?.plan.steps.map((step) => context.load(step.file)) ?? []);
}

async function compiledFrom(
  { context, work }: Run,
  [due]: readonly Due[],
  { seen: [first, second], observedEffects }: Lesson,
): Promise<Lesson['compiled']> {
  if (due === undefined || first === undefined) return undefined;
  const compiled = compile(due.plan, work.direction, first, second ?? first, due.tenant.tables.table);
  if (!('reason' in compiled))
    return second === undefined
      ? undefined
      : { ...compiled, limits: await limitsFor(context, compiled, observedEffects) };
  work.observe({
    type: 'note',
    message: `${compiled.migration} is gone through with every tenant: ${compiled.reason}.`,
  });
  return 'never';
}

/** What each may lock outside its schema, as each text's own words and the first tenants have shown. */
async function limitsFor(
  { readStatements }: RunContext,
  { steps }: Uniform,
  observedEffects: Lesson['observedEffects'],
): Promise<Limits> {
  const texts = steps.flatMap((step) => step.texts);
  return limitsOf(await Promise.all(texts.map(readStatements)), observedEffects);
}

/** @returns the tenants that have to be gone through statement by statement */
async function sendWhole(
  run: Run,
  queue: SharedQueue<Due>,
  dues: readonly Due[],
  compiled: CompiledPlan,
  locksShared: boolean,
): Promise<readonly Unfinished[]> {
  const { work } = run;
  const done = compiled.steps.map(({ name }) => name);
  const changed: Due[] = [];
  const interactive = await sendToAll(run.context, queue, dues, compiled, {
    lanes: work.lanes,
    isAlone: locksShared,
    statuses: work.statuses,
    opening: work.opening,
    closing: work.closing,
    onDone(due, durationMs) {
      const served: Advance = {
        outcome: 'done',
        done,
        batch: due.plan.batch,
        warnings: [],
        isCommitted: true,
      };
      report(run, toResult(due, served, durationMs, work.direction));
    },
    onPeers(due, isAtWork) {
      queue.met(due);
      if (isAtWork) keepBusy(run, [untried(due, { isAlone: locksShared })]);
      else changed.push(due);
    },
  });
  const { done: others, locked, free } = await look(run, changed);
  leaveToPeers(run, others);
  return [
    ...interactive.map(({ due, isLost }) => untried(due, { mayBeCommitted: isLost })),
    ...[...locked, ...free].map((due) => untried(due)),
  ];
}
