import type { MigrationTask } from '../fleet/plan-fleet.ts';
import { joinLimits } from '../guard/limits.ts';
import { readHiddenCalls } from '../guard/hidden-calls.ts';
import type { RunContext } from '../run/run-context.ts';
import type { CompiledPlan } from './compiled.ts';
import type { KeptLimits } from './keep-recordings.ts';
import type { MigrationWork } from './migration-work.ts';
import { storesText } from './stores-text.ts';

/**
 * What the recordings that earlier runs have kept make of a plan; undefined unless there is one of each migration.
 * What the database does with texts, or calls unseen, may have changed since, and is asked again.
 */
export async function compileKept(
  { database, kept, sent }: RunContext,
  { direction }: Pick<MigrationWork, 'direction'>,
  { plan, tenant }: MigrationTask,
): Promise<{ readonly compiled: CompiledPlan; readonly locksShared: boolean } | undefined> {
  const recordings = plan.steps.flatMap(({ file, name }) => {
    const recording = kept.of(file, direction);
    return recording === undefined ? [] : [{ ...recording, name }];
  });
  if (recordings.length < plan.steps.length) return undefined;
  const steps = recordings.map(({ name, pieces }) => ({ name, texts: pieces.map(({ text }) => text) }));
  const texts = steps.flatMap((step) => step.texts);
  const [stores, thorough] = await database.together((one) => [
    storesText(one, tenant.schema, texts),
    readHiddenCalls(one),
  ]);
  if (stores) return undefined;
  for (const { name, texts } of steps) sent[direction].set(name, texts.length > 0);
  const each = recordings.map((recording) => recording.limits as KeptLimits);
  const limits = joinLimits(each);
  return {
    compiled: { direction, steps, limits: thorough ? { ...limits, thorough, drops: true } : limits },
    locksShared: each.some(({ locksShared }) => locksShared),
  };
}
