/** A part of a rollout: its tenants are served, then checked, before the next stage starts. */
export interface Stage {
  /** Newcomers are tenants that were provisioned during the run. */
  readonly kind: 'canary' | 'wave' | 'newcomers';
  /** Its number within its kind, from 1, and how many of the kind there are. */
  readonly number: number;
  readonly of: number;
  readonly tenants: number;
}

/** "the canaries", "wave 2 of 7", "the newcomers". Pure. */
export function stageName({ kind, number, of }: Stage): string {
  if (kind === 'wave') return `wave ${number} of ${of}`;
  return kind === 'canary' ? 'the canaries' : 'the newcomers';
}

/** Its tenants are up to date already, migrated, failed or skipped: the four add up. */
export interface StageResult extends Stage {
  readonly upToDate: number;
  readonly migrated: number;
  readonly failed: number;
  readonly skipped: number;
  /** Tenants whose check completed, and those that failed it; absent without a check. */
  readonly checked?: number | undefined;
  readonly refused?: number | undefined;
  /** Milliseconds, checks included. */
  readonly durationMs: number;
}

export interface RolloutStop extends Tally {
  /** For the end of a sentence: "2 of 5 canaries failed". */
  readonly reason: string;
  /** Absent if the rollout stopped before the first tenant was started. */
  readonly stage?: Stage | undefined;
}

export interface RolloutResult {
  /** Stages that were started, in order. */
  readonly waves: readonly StageResult[];
  /** How many stages were planned, without newcomers. */
  readonly planned: number;
  readonly stopped?: RolloutStop | undefined;
  /** With onCanaryFailure 'rollback': tenants undone, and tenants where undoing failed. */
  readonly rolledBack?: { readonly tenants: number; readonly failed: number } | undefined;
  /** Tenants whose check completed, and those that it refused; absent without a check. */
  readonly checked?: number | undefined;
  readonly refused?: number | undefined;
  /** Tenants that were not checked because the run was stopped. */
  readonly unchecked: number;
  /** Milliseconds in which no tenant was started because a standby was behind. */
  readonly heldBackMs?: number | undefined;
}

/** Failures against their limit. */
export interface Tally {
  readonly among: 'canaries' | 'tenants';
  readonly failed: number;
  /** More failures than this open the failure limit; Infinity if there is no limit. */
  readonly allowed: number;
  readonly limit: { readonly count: number } | { readonly percent: number };
  readonly of: number;
}
