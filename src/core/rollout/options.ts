import type { Share } from './share.ts';
import type { TenantCheck } from './tenant-check.ts';

/** How carefully the tenants that are due are gone through. Without any of it, all are one wave and nothing stops it. */
export interface RolloutOptions {
  /** Tenants that go first: so many, or these, by organization id or schema name. */
  readonly canary?: Share | { readonly tenants: readonly string[] } | undefined;
  /** The others follow in waves of so many; a percentage is one of all that are due. All at once where absent. */
  readonly wave?: Share | undefined;
  /** Milliseconds between the canaries and the first wave, and between waves. */
  readonly pauseMs?: number | undefined;
  /** Asked of each tenant of a wave after it: readTenantCheck. */
  readonly check?: TenantCheck | undefined;
  /**
   * With more failures than these the run begins nothing further. Where absent, any number may fail, but no canary. A
   * percentage is one of the tenants that are due; while canaries are at work, one of those.
   */
  readonly maxFailures?: Share | undefined;
  /** Whether what the run has applied is undone when it is stopped by its canaries; 'stop' where absent. */
  readonly onCanaryFailure?: 'stop' | 'rollback' | undefined;
  /** While a standby is behind by more milliseconds than these, no tenant is begun. */
  readonly maxReplicaLagMs?: number | undefined;
}
