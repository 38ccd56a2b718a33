import { listed } from '../../wording.ts';
import type { Applied } from '../apply/assignment.ts';
import { runsInTransaction } from '../files/load.ts';
import { planKey, type MigrationTask } from '../fleet/plan-fleet.ts';
import { limitsOf } from '../guard/limits.ts';
import { reachesOutside } from '../guard/one-at-a-time.ts';
import { isStopped, traitsOf, type RunContext, type Traits } from '../run/run-context.ts';
import { serve, type Served } from '../serve/serve.ts';
import { attempt, queueOf, serveQueue, untried } from '../serve/session.ts';
import type { Attempt, Earlier } from '../serve/work.ts';
import { applyTask, withEarlier } from './apply-task.ts';
import { compile, type CompiledPlan, type NotCompiled } from './compiled.ts';
import { keepRecordings } from './keep-recordings.ts';
import { compileKept } from './kept-plan.ts';
import { toResult, type ApplyOptions, type Migrated, type MigrationWork } from './migration-work.ts';
import { learn, lessonOf, wantsPilot, type Lesson } from './pilots.ts';
import { storesText } from './stores-text.ts';
import { isAsPlanned, lookAtPeers } from './peers.ts';
import { sendToAll, type PlanGroup } from './send-to-all.ts';

/** How many tenants are tried as pilots, including those that other runs turn out to hold. */
const MOST_TRIES = 20;

/**
 * Serves tenants by plan: the first of each distinct plan alone, the others in parallel. If the first two
 * were sent the same, and no migration can distinguish tenants, the others are sent everything in one string.
 */
export async function serveMigration(
  context: RunContext,
  tasks: readonly MigrationTask[],
  migration: MigrationWork,
): Promise<Migrated & Served<MigrationTask, Applied>> {
  const { command, direction, lanes, observe, lessons = new Map<string, Lesson>() } = migration;
  const { isDone = isAsPlanned(direction) } = migration;
  const served = await serve<MigrationTask, Applied>(
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
  await keepRecordings(context, migration, tasks, lessons);
  return { ...served, results: served.outcomes.map((outcome) => toResult(outcome, direction)) };
}

/** Attempts a task statement by statement; the first tenants of a plan are pilots. */
async function attemptTask(
  context: RunContext,
  migration: MigrationWork,
  lesson: Lesson,
  task: MigrationTask,
  earlier: Earlier<Applied>,
): Promise<Attempt<Applied>> {
  const apply = (record?: ApplyOptions['record']) =>
    migration.apply === undefined
      ? applyTask(context, migration, task, { record })
      : migration.apply(task, { record }, earlier);
  const attempted = wantsPilot(lesson) ? await learn(lesson, task, apply) : await apply();
  return withEarlier(attempted, task, earlier);
}

async function servePlan(group: PlanGroup, first: MigrationTask): Promise<void> {
  const { session, migration, tasks, queue, lesson } = group;
  const { context } = session;
  const migrations = await Promise.all(
    first.plan.steps.map(({ file }) => traitsOf(context, file, migration.direction)),
  );
  lesson.locksShared ||= reachesOutside(migrations);
  const obstacle = obstacleOf(group, migrations);
  const hasOthers = tasks.length > 2 || migration.lessons !== undefined;
  const isWanted = migration.compile !== false && migrations.length > 0;
  lesson.mayCompile = isWanted && obstacle === undefined && (hasOthers || !context.kept.isOff);
  if (obstacle !== undefined && isWanted && hasOthers) neverCompiled(group, obstacle);
  if (lesson.mayCompile && lesson.pilots === 0) lesson.compiled ??= await tryKept(group, first);
  const isTaught = () => typeof lesson.compiled === 'object' || !wantsPilot(lesson);
  for (let tries = 0; tries < MOST_TRIES && !isTaught() && !isStopped(context); tries += 1) {
    const task = (await queue.fill()) ? queue.ready.shift() : undefined;
    if (task === undefined) return;
    await attempt(session, untried(task), queue);
  }
  if (lesson.mayCompile && queue.size > 0) lesson.compiled ??= await compiledFrom(group, first);
  const { compiled } = lesson;
  if (lesson.mayCompile && compiled === undefined && queue.size > 0 && !isStopped(context))
    neverCompiled(group, { migration: namesOf(first), reason: 'no two tenants have shown what to send' });
  if (lesson.mayCompile && compiled !== undefined && compiled !== 'never') {
    while (queue.size > 0 && !isStopped(context)) await sendToAll(group, compiled);
  }
  await serveQueue(session, queue);
}

/**
 * Sends what is kept of a plan to one tenant. Unless it fails, the others are sent the same; if it fails, that tenant
 * is the first pilot.
 */
async function tryKept(group: PlanGroup, first: MigrationTask): Promise<CompiledPlan | undefined> {
  const { session, queue, lesson, migration } = group;
  const found = await compileKept(session.context, migration, first);
  if (found === undefined) return undefined;
  const { compiled, locksShared } = found;
  lesson.locksShared ||= locksShared;
  const isDone = (task: MigrationTask) =>
    session.outcomes.some((outcome) => outcome.task === task && outcome.kind === 'done');
  while (lesson.pilots === 0 && !isStopped(session.context) && (await queue.fill())) {
    const task = queue.ready.shift();
    if (task === undefined) break;
    await sendToAll({ ...group, tasks: [task], queue: queueOf(session, [task]) }, compiled);
    if (lesson.pilots === 0 && isDone(task)) return compiled;
  }
  return undefined;
}

/** What keeps a plan from being compiled, whatever it sends. */
function obstacleOf(
  { session, migration, tasks }: PlanGroup,
  migrations: readonly Traits[],
): NotCompiled | undefined {
  const { direction } = migration;
  const all = tasks[0] === undefined ? '' : namesOf(tasks[0]);
  if (!session.context.database.acceptsScripts)
    return { migration: all, reason: 'the connections of this database share one session' };
  const outside = migrations.find((each) => !runsInTransaction(each, direction));
  if (outside !== undefined) return { migration: outside.file.name, reason: 'it runs outside a transaction' };
  // What it declares is checked for every tenant, one at a time.
  const reaching = migrations.find((each) => reachesOutside([each]));
  return reaching && { migration: reaching.file.name, reason: 'it has an allowOutside' };
}

function namesOf({ plan }: MigrationTask): string {
  return listed(plan.steps.map(({ name }) => name));
}

function neverCompiled({ migration }: PlanGroup, { migration: name, reason }: NotCompiled): 'never' {
  migration.observe({ type: 'note', message: `${name} is run for every tenant separately: ${reason}.` });
  return 'never';
}

async function compiledFrom(group: PlanGroup, { plan, tenant }: MigrationTask): Promise<Lesson['compiled']> {
  const { session, migration, lesson } = group;
  const { database } = session.context;
  const [first, second] = lesson.seen;
  if (first === undefined) return undefined;
  const compiled = compile(plan, migration.direction, first, second ?? first);
  if ('reason' in compiled) return neverCompiled(group, compiled);
  if (second === undefined) return undefined;
  const { steps } = compiled;
  const texts = steps.flatMap((step) => step.texts);
  if (await storesText(database, tenant.schema, texts)) {
    const reason = 'functions of the database call current_query()';
    return neverCompiled(group, { migration: steps[0]?.name ?? '', reason });
  }
  const readings = await Promise.all(texts.map(session.context.readStatements));
  const unread = texts[readings.findIndex(({ problem }) => problem !== undefined)];
  if (unread !== undefined) {
    const of = steps.find((step) => step.texts.includes(unread));
    const reason = 'it has SQL that only the server can read';
    return neverCompiled(group, { migration: of?.name ?? '', reason });
  }
  const namesHistory = texts.some((text) => text.includes(database.names.tenantHistory));
  return { ...compiled, limits: limitsOf(readings, lesson.observedEffects, namesHistory) };
}
