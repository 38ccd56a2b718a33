import type { CodeVerdict } from '../code/verdict.ts';
import type { Direction } from '../files/load.ts';
import type { MigrationFile } from '../files/source.ts';
import type { Plan, Step } from '../plan/plan.ts';
import type { MigrationTask } from '../fleet/plan-fleet.ts';
import { limitsBefore, limitsOf } from '../guard/limits.ts';
import { mayNameHistory } from '../target/history.ts';
import { needsCommit } from '../statements/needs-commit.ts';
import type { ShownRecording } from '../recordings/shown.ts';
import type { RunContext } from '../run/run-context.ts';
import { isSame, readOfAll, type KeptLimits, type KeptStep } from './compiled.ts';
import type { MigrationWork } from './migration-work.ts';
import { lessonOf, type Lesson } from './pilots.ts';

/** What is kept of a plan, by name. */
export function keptSteps(
  { kept }: Pick<RunContext, 'kept'>,
  { steps }: Pick<Plan, 'steps'>,
  direction: Direction,
): ReadonlyMap<string, KeptStep> {
  const all = new Map<string, KeptStep>();
  for (const { file, name } of steps) {
    const recording = kept.of(file, direction);
    if (recording !== undefined) all.set(name, recording as KeptStep);
  }
  return all;
}

/** Keeps for later runs what the pilots of these tasks have shown since the last call. */
export async function keepRecordings(
  context: RunContext,
  { direction }: Pick<MigrationWork, 'direction'>,
  tasks: readonly MigrationTask[],
  lessons: Map<string, Lesson>,
): Promise<void> {
  const { kept } = context;
  if (kept.isOff) return;
  const shown: ShownRecording[] = [];
  for (const plan of new Set(tasks.map((task) => task.plan))) {
    const lesson = lessonOf(lessons, { plan });
    if (lesson.testimonies.length === lesson.keptFrom) continue;
    lesson.keptFrom = lesson.testimonies.length;
    for (const step of plan.steps) {
      const recording = await shownBy(context, lesson, step);
      if (recording !== undefined) shown.push(recording);
    }
  }
  await kept.keep(shown, direction);
}

/** Why the code of a migration may send something else in another process, or to the next tenant. */
export function whyCodeDiffers(
  { format, name }: MigrationFile,
  { kind, reason = 'its code may change' }: CodeVerdict,
): string | undefined {
  return format === 'sql' || kind === 'pure' ? undefined : reason.replace(`${name} `, 'it ');
}

/** What the last two pilots have shown of a migration, or the last one alone. */
async function shownBy(
  context: RunContext,
  lesson: Lesson,
  { file, name }: Step,
): Promise<ShownRecording | undefined> {
  const { testimonies, witnesses, observedEffects, locksShared } = lesson;
  const [last, earlier] = [testimonies.at(-1)?.get(name), testimonies.at(-2)?.get(name)];
  if (last === undefined) return undefined;
  const { pieces, dependence } = last;
  const isUsable =
    earlier === undefined
      ? wasSent(lesson, name)
      : earlier.dependence === undefined && isSame(earlier.pieces, pieces);
  const texts = pieces.map(({ text }) => text);
  const namesHistory = texts.some((text) => mayNameHistory(text, context.database.names.tenantHistory));
  const readings = await Promise.all(texts.map(context.readStatements));
  const isUnread = readings.some(({ problem }) => problem !== undefined);
  const verdict = await context.examine(file);
  const ofCode = whyCodeDiffers(file, verdict);
  const interactive =
    dependence ??
    (isUnread ? 'it has SQL that only the server can read' : undefined) ??
    ofCode ??
    readOfAll(pieces);
  const isCommitted = texts.some(needsCommit);
  const limits =
    interactive === undefined
      ? limitsOf(readings, observedEffects, namesHistory)
      : limitsBefore(observedEffects);
  return {
    migration: await context.load(file),
    verdict,
    shown:
      interactive === undefined
        ? { pieces }
        : {
            interactive,
            needsCommit: isCommitted,
            ...(interactive === ofCode && { code: verdict.kind === 'fixed' ? 'fixed' : 'varying' }),
          },
    needsCommit: isCommitted,
    limits: { ...limits, locksShared } satisfies KeptLimits,
    witness: witnesses.at(-1) ?? '',
    isUsable,
    isCertain: last.isCertain === true && !lesson.isDoubted,
  };
}

/** Whether another tenant was sent what the only pilot had shown, and answered as expected. */
function wasSent({ isProven, testimonies, compiled }: Lesson, migration: string): boolean {
  if (!isProven || testimonies.length !== 1 || typeof compiled !== 'object') return false;
  return compiled.steps.some((step) => step.name === migration && 'pieces' in step);
}
