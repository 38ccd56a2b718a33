import { dirname } from 'node:path';
import { isKnexExtended } from '../../db/knex/insides.ts';
import { createRecording, type Recording } from '../../db/knex/recording.ts';
import type { Applied } from '../apply/assignment.ts';
import { planKey, type MigrationTask } from '../fleet/plan-fleet.ts';
import type { ObservedEffects } from '../guard/judge.ts';
import type { Plan } from '../plan/plan.ts';
import type { Attempt } from '../serve/work.ts';
import {
  compileStep,
  readOfAll,
  type CompiledPlan,
  type CompiledStep,
  type KeptStep,
  type Testimonies,
  type Testimony,
} from './compiled.ts';

/** At most this many tenants are served one by one to find out what all will be sent. */
export const PILOTS = 5;

/** What is known of a plan: shown by its first tenants, its pilots, or earlier. */
export interface Lesson {
  /** The plan may be compiled, so pilots are recorded. */
  mayCompile: boolean;
  /** Pilots served. */
  pilots: number;
  readonly testimonies: Testimonies[];
  /** The schemas of the tenants in `testimonies`. */
  readonly witnesses: string[];
  /** How many of `testimonies` have been kept for later runs. */
  keptFrom: number;
  readonly observedEffects: ObservedEffects[];
  /** What earlier runs have kept of it. */
  kept: ReadonlyMap<string, KeptStep>;
  /** A tenant was sent the compiled plan. */
  isProven: boolean;
  /** Before any was, what one tenant had shown did not fit another: two have to show it. */
  isDoubted: boolean;
  /** Why the code of a migration may do something else for the next tenant, by name; see `examined`. */
  varying: ReadonlyMap<string, string>;
  /** Examine a migration, by name: then `varying` says what is known of it. */
  examined: ReadonlyMap<string, () => Promise<void>>;
  /** The migrations whose statements are a function of what they are answered, as long as this run lasts, by name. */
  findSteady: () => Promise<ReadonlySet<string>>;
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
    testimonies: [],
    witnesses: [],
    keptFrom: 0,
    observedEffects: [],
    kept: new Map(),
    isProven: false,
    isDoubted: false,
    varying: new Map(),
    findSteady: () => Promise.resolve(new Set()),
    examined: new Map(),
    locksShared: false,
  };
  lessons.set(key, lesson);
  return lesson;
}

/** How each step of a plan is carried out; undefined for one that another tenant has to show. Pure. */
export function stepsKnown(lesson: Lesson, { steps }: Pick<Plan, 'steps'>): (CompiledStep | undefined)[] {
  return steps.map(({ name }) => compileStep(name, lesson));
}

/** Whether another tenant should be served alone and observed. */
export function wantsPilot(lesson: Lesson, plan: Pick<Plan, 'steps'>): boolean {
  if (!lesson.mayCompile || plan.steps.length === 0) return lesson.pilots === 0;
  const known = stepsKnown(lesson, plan);
  const isHopeless = known.every((step) => step !== undefined && 'interactive' in step);
  return lesson.pilots < (isHopeless ? 1 : PILOTS) && (isHopeless || known.includes(undefined));
}

/** Attempts a task as a pilot, and updates the lesson. */
export async function learn(
  lesson: Lesson,
  { plan, tenant }: MigrationTask,
  apply: (record: ((name: string) => Promise<Recording>) | undefined) => Promise<Attempt<Applied>>,
): Promise<Attempt<Applied>> {
  const recordings = new Map<string, Recording>();
  const names = plan.steps.map((step) => step.name);
  const record = async (name: string) => {
    await lesson.examined.get(name)?.();
    // While the server works on this one.
    void lesson.examined.get(names[names.indexOf(name) + 1] ?? '')?.();
    const recording = createRecording(lesson.varying.get(name));
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
    lesson.testimonies.push(testimoniesOf(await lesson.findSteady(), plan, tenant, recordings));
    lesson.witnesses.push(tenant.schema);
    lesson.observedEffects.push(...(done?.observed ?? []));
  }
  return attempt;
}

/** Attempts a task that is no pilot. If its string was refused, what it does is allowed to those that follow. */
export async function learnEffects(
  lesson: Lesson,
  apply: () => Promise<Attempt<Applied>>,
): Promise<Attempt<Applied>> {
  const attempt = await apply();
  if (attempt.kind !== 'done' || !lesson.mayCompile || lesson.compiled !== undefined) return attempt;
  lesson.pilots += 1;
  lesson.observedEffects.push(...(attempt.done.observed ?? []));
  return attempt;
}

/** A shorter name may be in a text by chance. */
const TELLING_LENGTH = 6;

/**
 * What a tenant has shown. It is certain if the code is steady; if no text names the tenant, none reads what all tenants
 * have, and none creates or drops an extension; and if Knex has no methods of the application, whose code nobody has
 * examined.
 */
function testimoniesOf(
  steady: ReadonlySet<string>,
  { steps }: Plan,
  { schema, clerkOrgId }: MigrationTask['tenant'],
  recordings: ReadonlyMap<string, Recording>,
): Testimonies {
  const code = steps.find(({ file }) => file.format !== 'sql');
  const isExtended = code !== undefined && isKnexExtended(dirname(code.file.path));
  const names = [schema, clerkOrgId].filter(({ length }) => length >= TELLING_LENGTH);
  return new Map(
    [...recordings].map(([name, { pieces, dependence, isDoubtful }]): [string, Testimony] => {
      const namesTenant = pieces.some(({ text }) => names.some((own) => text.includes(own)));
      const isOwn = !namesTenant && readOfAll(pieces) === undefined;
      const isCertain = steady.has(name) && !isDoubtful && !isExtended && isOwn;
      return [name, { pieces, dependence, isCertain }];
    }),
  );
}
