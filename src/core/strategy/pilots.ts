import { createRecording, type Recording } from '../../db/knex/recording.ts';
import type { Applied } from '../apply/assignment.ts';
import { planKey, type MigrationTask } from '../fleet/plan-fleet.ts';
import type { ObservedEffects } from '../guard/judge.ts';
import type { Attempt } from '../serve/work.ts';
import type { CompiledPlan, Recordings } from './compiled.ts';

/** At most this many tenants are served one by one to find out what all will be sent. */
const PILOTS = 5;

/** What the first tenants of a plan, its pilots, have shown about it. */
export interface Lesson {
  /** The plan may be compiled, so pilots are recorded. */
  mayCompile: boolean;
  /** Pilots served. */
  pilots: number;
  readonly seen: Recordings[];
  /** The schemas of the tenants in `seen`. */
  readonly witnesses: string[];
  /** How many of `seen` have been kept for later runs. */
  keptFrom: number;
  readonly observedEffects: ObservedEffects[];
  /** Other tenants may be sent something else. */
  isDependent: boolean;
  /** The plan locks shared tables: one tenant at a time. */
  locksShared: boolean;
  compiled?: CompiledPlan | 'never' | undefined;
}

/** The lesson of a task's plan, created if missing. */
export function lessonOf(lessons: Map<string, Lesson>, { plan }: Pick<MigrationTask, 'plan'>): Lesson {
  const key = planKey(plan);
  const lesson = lessons.get(key) ?? {
    mayCompile: false,
    pilots: 0,
    seen: [],
    witnesses: [],
    keptFrom: 0,
    observedEffects: [],
    isDependent: false,
    locksShared: false,
  };
  lessons.set(key, lesson);
  return lesson;
}

/** Whether another tenant should be served alone and observed. */
export function wantsPilot({ mayCompile, pilots, seen, isDependent }: Lesson): boolean {
  return pilots === 0 || (mayCompile && pilots < PILOTS && seen.length < 2 && !isDependent);
}

/** Attempts a task as a pilot, and updates the lesson. */
export async function learn(
  lesson: Lesson,
  { plan, tenant }: MigrationTask,
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
    lesson.witnesses.push(tenant.schema);
    if (done?.observed !== undefined) lesson.observedEffects.push(done.observed);
  }
  // What prevents one tenant from being sent a string prevents the others, too.
  lesson.isDependent ||=
    lesson.seen.length > 0 && [...recordings.values()].some(({ dependence }) => dependence !== undefined);
  return attempt;
}
