import type { TenantNames } from '../../names.ts';
import type { TenantctlError } from '../../errors.ts';
import type { ClassCounts } from './class-counts.ts';
import type { MigrationNotice } from './notices.ts';
import type { RolloutResult } from './rollout-result.ts';

export type TenantOutcome =
  | 'migrated'
  | 'rolled-back'
  | 'written'
  | 'backed-up'
  | 'seeded'
  | 'suspended'
  | 'resumed'
  | 'restored'
  | 'unarchived'
  | 'dropped'
  | 'archived'
  | 'adopted'
  | 'marked'
  | 'moved'
  | 'granted'
  | 'revoked'
  | 'up-to-date'
  | 'failed'
  | 'skipped';

export interface TenantResult {
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly outcome: TenantOutcome;
  /** Names from the history, in the order in which they were applied or reverted. */
  readonly names: readonly string[];
  /** What the run applied and undid again, in the order of undoing; `names` has what is left. */
  readonly reverted?: readonly string[] | undefined;
  /** The batch that was created or undone; 0 if nothing was done. */
  readonly batch: number;
  readonly durationMs: number;
  /** With `failed`; with `skipped` if the tenant was asked for by name and is not ACTIVE. */
  readonly error?: TenantctlError | undefined;
  readonly reason?: string | undefined;
}

export interface FleetResult {
  /** Its number in the ledger; absent if it could not be recorded. */
  readonly run?: number;
  readonly totals: {
    readonly selected: number;
    readonly upToDate: number;
    /** Migrated, rolled back or written, depending on the command. */
    readonly changed: number;
    /** Tenants for which the run undid everything that it had applied; absent if there are none. */
    readonly undone?: number | undefined;
    readonly failed: number;
    readonly skipped: number;
  };
  /** The selected tenants by class at the end, whoever changed them; absent if they could not be read. */
  readonly fleet?: ClassCounts | undefined;
  /** Another run worked on the same tenants. */
  readonly shared: boolean;
  /** The run was stopped before all tenants were served. */
  readonly interrupted: boolean;
  readonly durationMs: number;
  /** Every selected tenant; without those that were up to date and only counted. */
  readonly tenants: readonly TenantResult[];
  /** How many registered tenants are not ACTIVE and were skipped, by status. */
  readonly notActive: Readonly<Record<string, number>>;
  /** What the server said while migrations ran; absent if it said nothing. */
  readonly notices?: readonly MigrationNotice[];
  /** How a staged run went (MigrateTenantsOptions.rollout). */
  readonly rollout?: RolloutResult | undefined;
}

/** The result of a tenant for which no migration was run. */
export function untouched(
  tenant: TenantNames,
  outcome: 'up-to-date' | 'failed' | 'skipped',
  why: Pick<TenantResult, 'error' | 'reason'> = {},
): TenantResult {
  const { clerkOrgId, schema } = tenant;
  return { clerkOrgId, schema, outcome, names: [], batch: 0, durationMs: 0, ...why };
}

/** Sums up the tenants' results. `elapsedMs` is a stopwatch. */
export function fleetResult(
  tenants: readonly TenantResult[],
  run: Pick<FleetResult, 'fleet' | 'shared' | 'notActive' | 'rollout'> & {
    readonly elapsedMs: () => number;
    /** Up-to-date tenants that were only counted. */
    readonly settled: number;
    readonly signal: AbortSignal | undefined;
  },
): FleetResult {
  const { elapsedMs, settled, signal, ...rest } = run;
  const totals = totalsOf(tenants, settled);
  return {
    totals,
    // If all tenants were served, the run was not interrupted, whatever the signal says.
    interrupted: signal?.aborted === true && (totals.skipped > 0 || (rest.rollout?.unchecked ?? 0) > 0),
    durationMs: elapsedMs(),
    tenants,
    ...rest,
  };
}

/** @param settled up-to-date tenants that were only counted */
export function totalsOf(tenants: readonly TenantResult[], settled = 0): FleetResult['totals'] {
  const count = (...outcomes: TenantOutcome[]) =>
    tenants.filter((tenant) => outcomes.includes(tenant.outcome)).length;
  const undone = tenants.filter(
    ({ outcome, reverted }) => outcome === 'rolled-back' && reverted !== undefined,
  ).length;
  return {
    selected: tenants.length + settled,
    upToDate: count('up-to-date') + settled,
    changed: count('migrated', 'rolled-back', 'written', 'seeded') - undone,
    ...(undone > 0 && { undone }),
    failed: count('failed'),
    skipped: count('skipped'),
  };
}
