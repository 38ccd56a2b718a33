import type { Applied } from '../apply/assignment.ts';
import { runsInTransaction } from '../files/load.ts';
import { planKey, type MigrationTask } from '../fleet/plan-fleet.ts';
import { limitsOf, type Limits } from '../guard/limits.ts';
import { reachesOutside } from '../guard/one-at-a-time.ts';
import { isStopped, type RunContext } from '../run/run-context.ts';
import { serve, type Served } from '../serve/serve.ts';
import {
  attempt,
  end,
  keepBusy,
  leaveToPeers,
  look,
  queueOf,
  serveQueue,
  untried,
  type Session,
} from '../serve/session.ts';
import type { SharedQueue } from '../serve/shared-queue.ts';
import type { Attempt, Earlier } from '../serve/work.ts';
import { applyTask, withEarlier } from './apply-task.ts';
import { compile, type CompiledPlan, type Uniform } from './compiled.ts';
import { learn, lessonOf, wantsPilot, type Lesson } from './lesson.ts';
import { toResult, type MigrationWork } from './migration-work.ts';
import { isAsPlanned, lookAtPeers } from './peers.ts';
import { sendToAll } from './send-to-all.ts';

/** How many tenants are tried as pilots, including those that other runs turn out to have. */
const MOST_TRIES = 20;

/** The tenants with one plan. */
interface PlanGroup {
  readonly session: Session<MigrationTask, Applied>;
  readonly migration: MigrationWork;
  readonly tasks: readonly MigrationTask[];
  readonly queue: SharedQueue<MigrationTask>;
  readonly lesson: Lesson;
}

/**
 * Serves tenants by their plans: the first of each distinct plan alone, then the others side by side, as many as there
 * are lanes. If the first two of a plan were sent the same, and its migrations cannot tell one tenant from another, the
 * others are each sent everything in one string. Retries, other runs and what stops a run: src/core/serve/serve.ts.
 */
export function serveMigration(
  context: RunContext,
  tasks: readonly MigrationTask[],
  migration: MigrationWork,
): Promise<Served<MigrationTask, Applied>> {
  const { command, direction, lanes, observe, lessons = new Map<string, Lesson>() } = migration;
  const { isDone = isAsPlanned(direction) } = migration;
  return serve<MigrationTask, Applied>(
    context,
    tasks,
    {
      lanes,
      observe,
      ledger: { command, direction },
      attempt: (task, earlier) => attemptTask(context, migration, lessonOf(lessons, task), task, earlier),
      onEnd: (outcome, done, due) =>
        observe({ type: 'tenant', result: toResult(outcome, direction), done, due }),
      isAlone: (task) => lessonOf(lessons, task).locksShared,
      look: (some) => lookAtPeers(context.database, some, isDone),
    },
    async (session) => {
      const plans = [...Map.groupBy(tasks, ({ plan }) => planKey(plan)).values()];
      await Promise.all(
        plans.map(async (same) => {
          const [first] = same;
          if (first === undefined) return;
          const group = { session, migration, tasks: same, queue: queueOf(session, same) };
          await servePlan({ ...group, lesson: lessonOf(lessons, first) }, first);
        }),
      );
    },
  );
}

/** Attempts a task statement by statement; the first tenants of a plan are pilots. */
async function attemptTask(
  context: RunContext,
  migration: MigrationWork,
  lesson: Lesson,
  task: MigrationTask,
  earlier: Earlier<Applied>,
): Promise<Attempt<Applied>> {
  const isPilot = lesson.pilots === 0;
  const apply = (record?: Parameters<Parameters<typeof learn>[2]>[0]) =>
    migration.apply === undefined
      ? applyTask(context, migration, task, { isPilot, record })
      : migration.apply(task, { isPilot, record }, earlier);
  const attempted = wantsPilot(lesson) ? await learn(lesson, task, apply) : await apply();
  return withEarlier(attempted, task, earlier);
}

async function servePlan(group: PlanGroup, first: MigrationTask): Promise<void> {
  const { session, migration, tasks, queue, lesson } = group;
  const { context } = session;
  const migrations = await Promise.all(first.plan.steps.map((step) => context.load(step.file)));
  // A migration that declares that it reaches outside its schema is checked with every tenant, one at a time.
  const isReaching = reachesOutside(migrations);
  lesson.locksShared ||= isReaching;
  lesson.mayCompile =
    migration.compile &&
    migrations.length > 0 &&
    (tasks.length > 2 || migration.lessons !== undefined) &&
    migrations.every((each) => runsInTransaction(each, migration.direction)) &&
    !isReaching;
  for (let tries = 0; tries < MOST_TRIES && wantsPilot(lesson) && !isStopped(context); tries += 1) {
    const task = (await queue.fill()) ? queue.ready.shift() : undefined;
    if (task === undefined) return;
    await attempt(session, untried(task), queue);
  }
  if (lesson.mayCompile) lesson.compiled ??= await compiledFrom(group, first);
  const { compiled } = lesson;
  if (lesson.mayCompile && compiled !== undefined && compiled !== 'never') {
    while (queue.size > 0 && !isStopped(context)) await sendStrings(group, compiled);
  }
  await serveQueue(session, queue);
}

async function compiledFrom(
  { session, migration, lesson }: PlanGroup,
  { plan }: MigrationTask,
): Promise<Lesson['compiled']> {
  const { names } = session.context.database;
  const [first, second] = lesson.seen;
  if (first === undefined) return undefined;
  const compiled = compile(plan, migration.direction, first, second ?? first, names.tenantHistory);
  if (!('reason' in compiled))
    return second === undefined
      ? undefined
      : { ...compiled, limits: await limitsFor(session.context, compiled, lesson.observedEffects) };
  migration.observe({
    type: 'note',
    message: `${compiled.migration} is gone through with every tenant: ${compiled.reason}.`,
  });
  return 'never';
}

/** What each migration may lock outside its schema, by its text and by what the pilots have shown. */
async function limitsFor(
  { readStatements }: RunContext,
  { steps }: Uniform,
  observedEffects: Lesson['observedEffects'],
): Promise<Limits> {
  const texts = steps.flatMap((step) => step.texts);
  return limitsOf(await Promise.all(texts.map(readStatements)), observedEffects);
}

/** Sends the plan to the tenants of the queue as strings, and attempts those statement by statement that come back. */
async function sendStrings(group: PlanGroup, compiled: CompiledPlan): Promise<void> {
  const { session, migration, tasks, queue, lesson } = group;
  const names = compiled.steps.map(({ name }) => name);
  const changed: MigrationTask[] = [];
  const returned = await sendToAll(session.context, queue, tasks, compiled, {
    ...migration,
    isAlone: lesson.locksShared,
    onDone: (task, durationMs) =>
      end(session, {
        kind: 'done',
        task,
        durationMs,
        done: { names, batch: task.plan.batch, isCommitted: true },
      }),
    onPeers(task, isAtWork) {
      queue.met(task);
      if (isAtWork) keepBusy(session, [untried(task)]);
      else changed.push(task);
    },
  });
  const { done, locked, free } = await look(session, changed);
  leaveToPeers(session, done);
  const rest = [...returned, ...[...locked, ...free].map((task) => ({ task, isLost: false }))];
  await Promise.all(rest.map(({ task, isLost }) => attempt(session, untried(task, isLost), queue)));
}
