import { resultsOfIdle } from '../fleet/plan-fleet.ts';
import { planTenantsRollback } from '../fleet/plan-rollback.ts';
import { isScriptName } from '../files/script-name.ts';
import type { TenantResult } from '../report/results.ts';
import type { RolloutResult } from '../report/rollout-result.ts';
import type { RunContext } from '../run/run-context.ts';
import { forgetUndoneRefusal } from '../state/failures.ts';
import { backwardWork } from '../strategy/migration-work.ts';
import { counted } from '../../wording.ts';
import { serveMigration } from '../strategy/serve-migration.ts';
import type { RolloutSetting } from './prepare-rollout.ts';

/** A run's results after its undo, and how many tenants were undone. */
export interface TakenBack {
  readonly results: TenantResult[];
  readonly rolledBack: NonNullable<RolloutResult['rolledBack']>;
}

/**
 * Undoes what the run has applied, as `rollback tenants --run` would, except where the history has changed
 * since. Does nothing if the run was stopped.
 */
export async function takeBack(
  context: RunContext,
  results: readonly TenantResult[],
  { folder, lanes, observe, command, compile }: RolloutSetting,
): Promise<TakenBack> {
  const { database, run, tenantRole } = context;
  const applied = new Set(results.filter(hasMigrations).map(({ schema }) => schema));
  if (applied.size === 0 || run?.id === undefined)
    return { results: [...results], rolledBack: { tenants: 0, failed: 0 } };
  observe({ type: 'phase', message: `Undoing what was applied to ${counted(applied.size, 'tenant')}` });
  const options = { folder: folder.directory, extent: { run: run.id }, tenants: [...applied], tenantRole };
  const rollback = await planTenantsRollback(database, { ...options, observe }, true);
  const served = await serveMigration(
    context,
    rollback.plan.due,
    backwardWork(rollback, {
      command,
      closing: ({ tenant }) => [forgetUndoneRefusal(tenant.schema, database.names.tenantHistory)],
      lanes,
      compile,
      observe: (event) => {
        if (event.type !== 'tenant') observe(event);
      },
    }),
  );
  const undone = new Map(
    [...resultsOfIdle(rollback.plan), ...served.results].map((result) => [result.schema, result]),
  );
  const after = results.map((result) => withoutUndone(result, undone.get(result.schema)));
  return {
    results: after,
    rolledBack: {
      tenants: after.filter(({ names, reverted }) => reverted !== undefined && names.length === 0).length,
      failed: after.filter(({ schema, names }) => applied.has(schema) && names.length > 0).length,
    },
  };
}

function hasMigrations({ names }: TenantResult): boolean {
  return !names.every(isScriptName);
}

/** A tenant's result after what was applied to it was undone or, if that failed, was not. Pure. */
export function withoutUndone(result: TenantResult, undone: TenantResult | undefined): TenantResult {
  if (!hasMigrations(result) || undone === undefined) return result;
  // Scripts are not undone.
  const names = result.names.filter((name) => !isScriptName(name) && !undone.names.includes(name));
  const isUndone = names.length === 0 || undone.outcome === 'up-to-date';
  const reverted = undone.names.length > 0 && { reverted: undone.names };
  if (isUndone) {
    const outcome = result.outcome === 'failed' ? 'failed' : 'rolled-back';
    return { ...result, names: [], ...reverted, outcome };
  }
  const { error } = undone;
  return { ...result, names, ...reverted, ...(error !== undefined && { outcome: 'failed', error }) };
}
