import type { TenantCheck } from './tenant-check.ts';

export type Share = { readonly count: number } | { readonly percent: number };

/** How a run is divided into stages, and what stops it. Without any option, all tenants are one wave. */
export interface RolloutOptions {
  /** Tenants that go first: a number, a percentage, or organization ids or schema names. */
  readonly canary?: Share | { readonly tenants: readonly string[] } | undefined;
  /** The size of the following waves; percentages are of all due tenants. All at once if absent. */
  readonly wave?: Share | undefined;
  /** Milliseconds after the canaries and between waves. */
  readonly pauseMs?: number | undefined;
  /** Run for each tenant of a stage after it: see readTenantCheck. */
  readonly check?: TenantCheck | undefined;
  /** The run stops after more failed canaries than this; percentages are of the canaries. None if absent. */
  readonly maxCanaryFailures?: Share | undefined;
  /** The run stops after more failures than this, canaries included; percentages are of all due tenants. */
  readonly maxFailures?: Share | undefined;
  /** Whether the run undoes what it has applied if its canaries stop it; 'stop' if absent. */
  readonly onCanaryFailure?: 'stop' | 'rollback' | undefined;
  /** No tenant is started while a standby lags by more than this many milliseconds. */
  readonly maxReplicaLagMs?: number | undefined;
}

/** Tolerance for floating-point errors: 0.7 % of 3,000 is 21. */
const ROUNDING = 1e-9;

/** Rounds up: 10 % of 25 is 3. Pure. */
export function tenantsIn(share: Share, total: number): number {
  if ('count' in share) return Math.min(total, share.count);
  return Math.min(total, Math.ceil((total * share.percent) / 100 - ROUNDING));
}

/** Rounds down: at most 10 % of 25 is 2. Pure. */
export function atMost(share: Share, total: number): number {
  return 'count' in share ? share.count : Math.floor((total * share.percent) / 100 + ROUNDING);
}
