/** A part of a rollout: its tenants are served, then checked, before those of the next are begun. */
export interface Stage {
  /** Newcomers are tenants that were provisioned while the run was at work. */
  readonly kind: 'canary' | 'wave' | 'newcomers';
  /** Which of its kind it is, from 1, and how many of its kind there are. */
  readonly number: number;
  readonly of: number;
  readonly tenants: number;
}

/** How a part of a rollout went. */
export interface StageResult extends Stage {
  readonly migrated: number;
  readonly failed: number;
  readonly skipped: number;
  /** Tenants whose check was answered, and those of them that it refused; where there is a check. */
  readonly checked?: number | undefined;
  readonly refused?: number | undefined;
  /** Milliseconds, checks included. */
  readonly durationMs: number;
}

/** Why a rollout begins nothing further. */
export interface RolloutStop extends Tally {
  /** As a sentence's end: "2 of 5 canaries failed". */
  readonly reason: string;
  /** Where it happened; absent where it did before the first tenant was begun. */
  readonly stage?: Stage | undefined;
}

/** How a run went that was told to go carefully. */
export interface RolloutResult {
  /** What was begun, in order. */
  readonly waves: readonly StageResult[];
  /** How many parts were planned, newcomers aside. */
  readonly planned: number;
  readonly stopped?: RolloutStop | undefined;
  /** With onCanaryFailure 'rollback': how many tenants it undid, and of how many it could not. */
  readonly rolledBack?: { readonly tenants: number; readonly failed: number } | undefined;
  /** Tenants that were migrated, and that nobody came to check any more. */
  readonly unchecked: number;
  /** Milliseconds in which no tenant was begun because a standby was behind. */
  readonly heldBackMs?: number | undefined;
}

/** Failures against what is allowed of them. */
export interface Tally {
  /** Whose failures are counted: the canaries', or those of the whole run. */
  readonly among: 'canaries' | 'tenants';
  readonly failed: number;
  /** More than so many open the failure limit; Infinity where nothing does. */
  readonly allowed: number;
  /** How many tenants there are. */
  readonly of: number;
}
