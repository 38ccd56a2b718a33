import type { Step } from '../plan/plan.ts';
import type { MigrationTask } from '../fleet/plan-fleet.ts';
import { limitsOf, type Limits } from '../guard/limits.ts';
import type { ShownRecording } from '../recordings/kept-recordings.ts';
import type { RunContext } from '../run/run-context.ts';
import { reasonIn } from './compiled.ts';
import type { MigrationWork } from './migration-work.ts';
import { lessonOf, type Lesson } from './pilots.ts';

/** What is kept beside a migration's texts. */
export interface KeptLimits extends Limits {
  /** They lock shared tables: one tenant at a time. */
  readonly locksShared: boolean;
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
    if (lesson.seen.length === lesson.keptFrom) continue;
    lesson.keptFrom = lesson.seen.length;
    for (const step of plan.steps) {
      const recording = await shownBy(context, lesson, step);
      if (recording !== undefined) shown.push(recording);
    }
  }
  await kept.keep(shown, direction);
}

/** What the last two pilots have shown of a migration, or the last one alone. */
async function shownBy(
  context: RunContext,
  { seen, witnesses, observedEffects, locksShared }: Lesson,
  { file, name }: Step,
): Promise<ShownRecording | undefined> {
  const [last, earlier] = [seen.at(-1)?.get(name), seen.at(-2)?.get(name)];
  if (last === undefined || last.dependence !== undefined) return undefined;
  const isSame = earlier !== undefined && reasonIn(earlier, last) === undefined;
  const namesHistory = last.texts.some((text) => text.includes(context.database.names.tenantHistory));
  const readings = await Promise.all(last.texts.map(context.readStatements));
  if (readings.some(({ problem }) => problem !== undefined)) return undefined;
  const limits: KeptLimits = { ...limitsOf(readings, observedEffects, namesHistory), locksShared };
  return {
    migration: await context.load(file),
    pieces: last.texts.map((text) => ({ text })),
    limits,
    witness: witnesses.at(-1) ?? '',
    isUsable: isSame,
  };
}
