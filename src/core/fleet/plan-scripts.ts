import type { Database } from '../../db/database.ts';
import type { MigrationFolder } from '../files/source.ts';
import type { Plan } from '../plan/plan.ts';
import { outdatedFiles, withOutdated } from '../plan/repeatable.ts';
import { readScripts, type Script } from '../state/scripts.ts';
import type { History } from '../target/history.ts';
import type { Fleet } from './select-fleet.ts';

/** What is known of the scripts of a tenant or of a group. */
interface ScriptFacts {
  readonly schema?: string | undefined;
  readonly hasOutdatedScripts: boolean;
}

/** What `migrate` would do. @param tenant absent: one whose scripts are as in the folder */
export type Decide = (history: History, tenant?: ScriptFacts) => Plan;

/**
 * Adds the outdated scripts to a decision. Tenants that lack the same share one plan. Pure.
 * @param applied the scripts of each schema; if absent, an outdated tenant counts as having none
 */
export function decideScripts(
  decide: Decide,
  folder: MigrationFolder,
  applied: ReadonlyMap<string, readonly Script[]> = new Map(),
): Decide {
  const known = new WeakMap<Plan, Map<string, Plan>>();
  return (history, tenant) => {
    const plan = decide(history);
    if (tenant?.hasOutdatedScripts !== true) return plan;
    const outdated = outdatedFiles(folder, applied.get(tenant.schema ?? ''));
    const plans = known.get(plan) ?? new Map<string, Plan>();
    known.set(plan, plans);
    const key = outdated.map(({ name }) => name).join('\n');
    const whole = plans.get(key) ?? withOutdated(plan, outdated);
    plans.set(key, whole);
    return whole;
  };
}

/** decideScripts with what the tenants of a fleet have; no query if nothing is outdated. */
export async function readScriptPlanner(
  database: Database,
  folder: MigrationFolder,
  decide: Decide,
  { members, scope }: Pick<Fleet, 'members' | 'scope'>,
): Promise<Decide> {
  const outdated = members.filter(({ tenant }) => tenant.hasOutdatedScripts);
  if (outdated.length === 0) return decide;
  const schemas = outdated.map(({ tenant }) => tenant.schema);
  const applied = scope.hasScripts ? await readScripts(database, 'repeatable', schemas) : undefined;
  return decideScripts(decide, folder, applied);
}
