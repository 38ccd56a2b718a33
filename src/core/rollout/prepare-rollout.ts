import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import type { MigrationFolder } from '../files/source.ts';
import type { Selection } from '../fleet/select-fleet.ts';
import { findTenants } from '../registry/registry.ts';
import type { Observer } from '../report/event.ts';
import type { RolloutResult, Stage, StageResult } from '../report/rollout-result.ts';
import type { Lanes } from '../run/lanes.ts';
import type { RunContext } from '../run/run-context.ts';
import type { Lesson } from '../strategy/pilots.ts';
import type { Canaries } from './cut-rollout.ts';
import { createFailureLimit, type RolloutLimit } from './failure-limit.ts';
import type { RolloutOptions } from './options.ts';
import { followStandbys, type StandbyThrottle } from './throttle.ts';

export interface RolloutSetting extends Selection {
  readonly rollout?: RolloutOptions | undefined;
  readonly folder: MigrationFolder;
  readonly lanes: Lanes;
  readonly command: string;
  /** No migrations are run: a check that refuses a tenant says nothing about its class. */
  readonly isDataChange?: boolean | undefined;
  /** As in MigrationWork. */
  readonly compile?: boolean | undefined;
  /** Tenants that were up to date are checked, too. */
  readonly listUpToDate?: boolean | undefined;
  readonly observe: Observer;
}

export interface Rollout {
  /** With a failure limit and a throttle, if there are any. */
  readonly context: RunContext;
  /** Without them: for undoing. */
  readonly plain: RunContext;
  readonly setting: RolloutSetting;
  readonly canaries: Canaries | undefined;
  readonly failureLimit: RolloutLimit;
  readonly throttle: StandbyThrottle | undefined;
  /** The checks that have refused tenants and that none has passed since, by schema. */
  refusals: ReadonlyMap<string, TenantctlError>;
  /** What earlier stages have shown of each plan. */
  readonly lessons: Map<string, Lesson>;
  readonly begun: StageResult[];
  /** Planned stages; undefined before the first one starts. */
  planned?: number;
  /** Tenants whose check completed, those that it refused, and those not checked as the run was stopped. */
  checked: number;
  refused: number;
  unchecked: number;
  stoppedAt?: Stage | undefined;
  rolledBack?: RolloutResult['rolledBack'];
  /** Named canaries that cannot be migrated. */
  hopeless: number;
}

/**
 * @throws TenantctlError USAGE for unselected canaries; TENANT_UNKNOWN, TENANT_NOT_ACTIVE;
 *   REPLICA_LAG_UNKNOWN
 */
export async function prepareRollout(plain: RunContext, setting: RolloutSetting): Promise<Rollout> {
  const { rollout: options = {}, observe } = setting;
  const { canary, maxReplicaLagMs } = options;
  const canaries = await findCanaries(plain.database, canary, setting);
  const failureLimit = createFailureLimit(options);
  const limited = { ...plain, failureLimit };
  const throttle =
    maxReplicaLagMs === undefined ? undefined : await followStandbys(limited, maxReplicaLagMs, observe);
  return {
    plain,
    context: setting.rollout === undefined ? plain : { ...limited, throttle },
    setting,
    canaries,
    failureLimit,
    throttle,
    refusals: new Map(),
    lessons: new Map(),
    begun: [],
    checked: 0,
    refused: 0,
    unchecked: 0,
    hopeless: 0,
  };
}

/** The schemas of canaries given by id or schema name. @throws TenantctlError as prepareRollout does */
export async function findCanaries(
  database: Database,
  canary: RolloutOptions['canary'],
  selection: Selection,
): Promise<Canaries | undefined> {
  if (canary === undefined || !('tenants' in canary)) return canary;
  const canaries = await findTenants(database, canary.tenants);
  if (selection.tenants !== undefined) {
    const selected = new Set((await findTenants(database, selection.tenants)).map(({ schema }) => schema));
    const outside = canaries.find(({ schema }) => !selected.has(schema));
    if (outside !== undefined) {
      const tenant = outside.clerkOrgId;
      throw new TenantctlError('USAGE', `The run does not select the canary "${tenant}".`, {
        tenant,
        hint: 'Name it with --tenant, too, or choose another canary.',
      });
    }
  }
  const idle = canaries.find(({ status }) => status !== 'ACTIVE');
  if (idle !== undefined) {
    throw new TenantctlError(
      'TENANT_NOT_ACTIVE',
      `The canary "${idle.clerkOrgId}" is ${idle.status}: it would not be migrated.`,
      { tenant: idle.clerkOrgId, hint: 'Choose a canary that is ACTIVE.' },
    );
  }
  return new Set(canaries.map(({ schema }) => schema));
}
