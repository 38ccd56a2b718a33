import { scriptsOf } from '../files/repeatable.ts';
import type { MigrationFile, MigrationFolder } from '../files/source.ts';
import { outdatedScripts, type Script } from '../state/scripts.ts';
import { EMPTY_HISTORY } from '../target/history.ts';
import { planForward, toSteps, type Plan } from './plan.ts';

/** The folder's scripts that a schema lacks, or has in another form, in their order. Pure. */
export function outdatedFiles(
  folder: Pick<MigrationFolder, 'scripts'>,
  applied: readonly Script[] | undefined,
): readonly MigrationFile[] {
  const outdated = new Set(outdatedScripts(scriptsOf(folder), applied));
  return (folder.scripts ?? []).filter(({ script }) => script !== undefined && outdated.has(script));
}

/** What a new schema gets. Pure. */
export function planNew(folder: MigrationFolder): Plan {
  return withOutdated(planForward(folder, EMPTY_HISTORY), folder.scripts ?? []);
}

/** A plan without migrations, with the scripts that are outdated; none while a migration is pending. Pure. */
export function withOutdated(plan: Plan, outdated: readonly MigrationFile[]): Plan {
  const isDue = plan.isComplete === true && plan.steps.length === 0 && outdated.length > 0;
  return isDue ? { ...plan, steps: toSteps(outdated) } : plan;
}
