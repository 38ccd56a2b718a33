import { createRecording, type Recording } from '../../db/knex/recording.ts';
import type { Applied } from '../apply/assignment.ts';
import { planKey, type MigrationTask } from '../fleet/plan-fleet.ts';
import type { ObservedEffects } from '../guard/judge.ts';
import type { Attempt } from '../serve/work.ts';
import type { CompiledPlan, Recordings } from './compiled.ts';

/** At most so many tenants are served one after the other to find out what all will be sent. */
const PILOTS = 5;

/** What the first tenants of a plan, its pilots, have shown of it. */
export interface Lesson {
  /** Whether the plan may be compiled at all, so that pilots are recorded. */
  mayCompile: boolean;
  /** How many tenants have been served for it. */
  pilots: number;
  /** What they were sent. */
  readonly seen: Recordings[];
  /** What other tenants may do that are sent the same. */
  readonly observedEffects: ObservedEffects[];
  /** What other tenants are sent may differ. */
  isDependent: boolean;
  /** The plan locks shared tables: one tenant at a time. */
  locksShared: boolean;
  compiled?: CompiledPlan | 'never' | undefined;
}

/** What is known of a task's plan so far. */
export function lessonOf(lessons: Map<string, Lesson>, { plan }: Pick<MigrationTask, 'plan'>): Lesson {
  const key = planKey(plan);
  const lesson = lessons.get(key) ?? {
    mayCompile: false,
    pilots: 0,
    seen: [],
    observedEffects: [],
    isDependent: false,
    locksShared: false,
  };
  lessons.set(key, lesson);
  return lesson;
}

/** Whether another tenant should be served alone and watched. */
export function wantsPilot({ mayCompile, pilots, seen, isDependent }: Lesson): boolean {
  return pilots === 0 || (mayCompile && pilots < PILOTS && seen.length < 2 && !isDependent);
}

/** Attempts a task as a pilot, and learns from it what it did. */
export async function learn(
  lesson: Lesson,
  { plan }: MigrationTask,
  apply: (record: ((name: string) => Recording) | undefined) => Promise<Attempt<Applied>>,
): Promise<Attempt<Applied>> {
  const recordings = new Map<string, Recording>();
  const record = (name: string) => {
    const recording = createRecording();
    recordings.set(name, recording);
    return recording;
  };
  const attempt = await apply(lesson.mayCompile ? record : undefined);
  const isOwn =
    attempt.kind === 'failed' ||
    (attempt.kind === 'done' && (attempt.done.names.length > 0 || plan.steps.length === 0));
  if (!isOwn) return attempt;
  const { done } = attempt;
  lesson.pilots += 1;
  lesson.locksShared ||= done?.locksShared === true;
  if (attempt.kind === 'done' && attempt.done.names.length === plan.steps.length) {
    lesson.seen.push(recordings);
    if (done?.observed !== undefined) lesson.observedEffects.push(done.observed);
  }
  // What keeps one tenant from being sent a string keeps the others, too.
  lesson.isDependent ||=
    lesson.seen.length > 0 && [...recordings.values()].some(({ dependence }) => dependence !== undefined);
  return attempt;
}
