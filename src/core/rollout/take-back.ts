import type { RunContext } from '../run/run-context.ts';
import type { FleetWork } from '../strategy/work.ts';
import { serveFleet } from '../strategy/serve-fleet.ts';
import { advance } from '../apply/advance.ts';
import { planUndo } from '../plan/plan.ts';
import { tenantTarget } from '../target/target.ts';
import { isAsPlanned } from '../strategy/peers.ts';
import { schemaMissing, type Due } from '../fleet/plan-fleet.ts';
import { untouched, type TenantResult } from '../report/results.ts';
import { stillPlanned } from '../plan/rollback-extent.ts';
import { selectFleet } from '../fleet/select-fleet.ts';
import type { RolloutResult } from '../report/rollout-result.ts';
import type { RolloutSetting } from './setting.ts';
import type { TenantStatus } from '../../names.ts';

const ACTIVE_ONLY: readonly TenantStatus[] = ['ACTIVE'];

/** The results of a run when what it had applied was undone, and how many tenants that was. */
export interface TakenBack {
  readonly results: TenantResult[];
  readonly rolledBack: NonNullable<RolloutResult['rolledBack']>;
}

/**
 * Undoes exactly what a run applied, each tenant in a transaction of its own: a tenant whose history has gone on since
 * is left alone, and so is everyone when the run has been told to stop.
 */
export async function takeBack(
  context: RunContext,
  results: readonly TenantResult[],
  { folder, lanes, observe, command }: Pick<RolloutSetting, 'folder' | 'lanes' | 'observe' | 'command'>,
): Promise<TakenBack> {
  const { database } = context;
  const applied = new Map(results.filter(({ names }) => names.length > 0).map((each) => [each.schema, each]));
  if (applied.size === 0) return { results: [...results], rolledBack: { tenants: 0, failed: 0 } };
  observe({ type: 'phase', message: `Undoing what was applied to ${applied.size} tenants` });
  const fleet = await selectFleet(database, {
    tenants: [...applied.values()].map((each) => each.clerkOrgId),
  });
  const namesOf = ({ tenant }: Pick<Due, 'tenant'>) => applied.get(tenant.schema)?.names ?? [];

  const dues: Due[] = [];
  const undone = new Map<string, TenantResult>();
  for (const { tenant, history } of fleet.members) {
    const plan = planUndo(folder, history, namesOf({ tenant }));
    const { problem } = plan;
    if (problem === undefined) dues.push({ tenant, history, plan });
    else
      undone.set(
        tenant.schema,
        untouched(tenant, 'failed', { error: problem.with({ tenant: tenant.clerkOrgId }) }),
      );
  }
  for (const tenant of fleet.withoutSchema)
    undone.set(tenant.schema, untouched(tenant, 'failed', { error: schemaMissing(tenant) }));

  const serve: FleetWork['serve'] = async (due, { record }) => {
    const served = await advance(context, tenantTarget(context.database.names, due.tenant, context), {
      direction: 'down',
      decide: (history, done) =>
        stillPlanned(
          planUndo(folder, history, namesOf(due).slice(0, namesOf(due).length - done.length)),
          due.plan,
          done,
        ),
      statuses: ACTIVE_ONLY,
      hasState: true,
      hasTables: due.tenant.tables.hasHistory && due.tenant.tables.hasLock,
      record,
    });
    return { ...served, locksShared: false };
  };
  const served = await serveFleet(context, dues, {
    command,
    direction: 'down',
    statuses: ACTIVE_ONLY,
    serve,
    closing: () => [],
    isDone: isAsPlanned('down'),
    lanes,
    compile: !database.sharedSession,
    observe: (event) => {
      if (event.type !== 'tenant') observe(event);
    },
  });
  for (const result of served) undone.set(result.schema, result);
  const after = results.map((result) => withoutUndone(result, undone.get(result.schema)));
  return {
    results: after,
    rolledBack: {
      tenants: after.filter(({ names, reverted }) => reverted !== undefined && names.length === 0).length,
      failed: after.filter(({ schema, names }) => applied.has(schema) && names.length > 0).length,
    },
  };
}

/** A tenant's result when some of what was applied to it has been undone, or none because that failed. Pure. */
export function withoutUndone(result: TenantResult, undone: TenantResult | undefined): TenantResult {
  if (result.names.length === 0 || undone === undefined) return result;
  const names = result.names.filter((name) => !undone.names.includes(name));
  const isUndone = names.length === 0 || undone.outcome === 'up-to-date';
  const reverted = undone.names.length > 0 && { reverted: undone.names };
  if (isUndone) {
    const outcome = result.outcome === 'failed' ? 'failed' : 'rolled-back';
    return { ...result, names: [], ...reverted, outcome };
  }
  const { error } = undone;
  return { ...result, names, ...reverted, ...(error !== undefined && { outcome: 'failed', error }) };
}
