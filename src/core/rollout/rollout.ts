import type { MigrationTask, FleetPlan } from '../fleet/plan-fleet.ts';
import type { TenantResult } from '../report/results.ts';
import type { RolloutResult } from '../report/rollout-result.ts';
import type { RunContext } from '../run/run-context.ts';
import type { MigrationWork } from '../strategy/migration-work.ts';
import { serveInPhases, type Migrated } from '../strategy/serve-in-phases.ts';
import { createFailureLimit } from './failure-limit.ts';
import { findCanaries } from './find-canaries.ts';
import type { RolloutSetting } from './setting.ts';
import { openPlan, resultOf, serveStages, type Steps } from './steps.ts';
import { followStandbys } from './throttle.ts';

/** How a run goes through its tenants: all at once, or in stages that can be stopped. */
export interface Rollout {
  /** The run's context, with a failure limit and a throttle if there are any. */
  readonly context: RunContext;
  /** Announces a plan, and the results of its tenants that are not due; checks these if that was asked for. */
  readonly open: (plan: FleetPlan, results: readonly TenantResult[]) => Promise<readonly TenantResult[]>;
  /** Serves tenants that are due; after the first call, they are newcomers. */
  readonly serve: (tasks: readonly MigrationTask[], work: MigrationWork) => Promise<Migrated>;
  /** How it went; undefined if all were served at once. */
  readonly result: () => RolloutResult | undefined;
}

/**
 * Prepares a rollout, before anything is changed.
 * @throws TenantctlError USAGE for canaries that the run is not for; TENANT_UNKNOWN and TENANT_NOT_ACTIVE for other
 *   canaries; REPLICA_LAG_UNKNOWN
 */
export async function prepareRollout(plain: RunContext, setting: RolloutSetting): Promise<Rollout> {
  const { rollout: options, observe } = setting;
  if (options === undefined) return allAtOnce(plain);
  const { canary, maxReplicaLagMs } = options;
  const canaries =
    canary !== undefined && 'tenants' in canary
      ? await findCanaries(plain.database, canary.tenants, setting)
      : canary;
  const failureLimit = createFailureLimit(options.maxFailures);
  const throttle =
    maxReplicaLagMs === undefined
      ? undefined
      : await followStandbys({ ...plain, failureLimit }, maxReplicaLagMs, observe);
  const steps: Steps = {
    plain,
    context: { ...plain, failureLimit, throttle },
    setting,
    options,
    canaries,
    failureLimit,
    throttle,
    lessons: new Map(),
    begun: [],
    unchecked: 0,
    hopeless: 0,
  };
  return {
    context: steps.context,
    open: (plan, results) => openPlan(steps, plan, results),
    serve: (tasks, work) => serveStages(steps, tasks, work),
    result: () => resultOf(steps),
  };
}

function allAtOnce(context: RunContext): Rollout {
  return {
    context,
    open: (_plan, results) => Promise.resolve(results),
    serve: (tasks, work) => serveInPhases(context, tasks, work),
    result: () => undefined,
  };
}
