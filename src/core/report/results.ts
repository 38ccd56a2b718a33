import type { TenantctlError } from '../../errors.ts';
import type { ClassCounts } from './class-counts.ts';
import type { RolloutResult } from './rollout-result.ts';

/** How a run ended for one tenant. */
export type TenantOutcome = 'migrated' | 'rolled-back' | 'up-to-date' | 'failed' | 'skipped';

export interface TenantResult {
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly outcome: TenantOutcome;
  /** Names as the history holds them, in the order in which they were applied or reverted. */
  readonly names: readonly string[];
  /** What the run applied and undid again, in the order in which it was undone; `names` has what is left. */
  readonly reverted?: readonly string[] | undefined;
  /** The batch that was formed or undone; 0 where nothing was done. */
  readonly batch: number;
  readonly durationMs: number;
  readonly error?: TenantctlError | undefined;
  /** Why a tenant was skipped. */
  readonly reason?: string | undefined;
}

/** How a run over the fleet ended. */
export interface FleetResult {
  /** Its number in the ledger; absent where it could not be recorded. */
  readonly run?: number;
  readonly totals: {
    readonly selected: number;
    readonly upToDate: number;
    /** Migrated or rolled back, whichever the run was for. */
    readonly changed: number;
    /** Tenants of which all that the run had applied was undone again; where there are any. */
    readonly undone?: number | undefined;
    readonly failed: number;
    readonly skipped: number;
  };
  /** The selected tenants by class at the end of this run, whoever changed them; absent if that could not be read. */
  readonly fleet?: ClassCounts | undefined;
  /** Another run was met that was at work on the same tenants. */
  readonly shared: boolean;
  /** The run was told to stop before all tenants had been served. */
  readonly interrupted: boolean;
  readonly durationMs: number;
  /** Every selected tenant; without those that were up to date and only counted. */
  readonly tenants: readonly TenantResult[];
  /** How many tenants of the registry are not ACTIVE and were left alone, by status. */
  readonly notActive: Readonly<Record<string, number>>;
  /** How a run went that was told to go carefully (MigrateTenantsOptions.rollout). */
  readonly rollout?: RolloutResult | undefined;
}

/** The result of a tenant that no migration was run for. */
export function untouched(
  tenant: { readonly clerkOrgId: string; readonly schema: string },
  outcome: 'up-to-date' | 'failed' | 'skipped',
  why: Pick<TenantResult, 'error' | 'reason'> = {},
): TenantResult {
  const { clerkOrgId, schema } = tenant;
  return { clerkOrgId, schema, outcome, names: [], batch: 0, durationMs: 0, ...why };
}

/** The results of a run's tenants, summed up. `started` is a time as Date.now() gives it. */
export function fleetResult(
  tenants: readonly TenantResult[],
  run: Pick<FleetResult, 'fleet' | 'shared' | 'notActive' | 'rollout'> & {
    readonly started: number;
    /** Tenants with nothing to be done that were only counted. */
    readonly settled: number;
    readonly signal: AbortSignal | undefined;
  },
): FleetResult {
  const { started, settled, signal, ...rest } = run;
  const totals = totalsOf(tenants, settled);
  return {
    totals,
    // With nothing left over the run was not interrupted, whatever the signal says.
    interrupted: signal?.aborted === true && (totals.skipped > 0 || (rest.rollout?.unchecked ?? 0) > 0),
    durationMs: Date.now() - started,
    tenants,
    ...rest,
  };
}

function totalsOf(tenants: readonly TenantResult[], settled: number): FleetResult['totals'] {
  const count = (...outcomes: TenantOutcome[]) =>
    tenants.filter((tenant) => outcomes.includes(tenant.outcome)).length;
  const undone = tenants.filter(
    ({ outcome, reverted }) => outcome === 'rolled-back' && reverted !== undefined,
  ).length;
  return {
    selected: tenants.length + settled,
    upToDate: count('up-to-date') + settled,
    changed: count('migrated', 'rolled-back') - undone,
    ...(undone > 0 && { undone }),
    failed: count('failed'),
    skipped: count('skipped'),
  };
}
