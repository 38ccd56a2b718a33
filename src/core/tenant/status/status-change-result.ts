import type { TenantNames } from '../../../names.ts';
import type { TenantctlError } from '../../../errors.ts';
import { endingOfOutcomes, type RunEnding } from '../../ledger/run-ending.ts';
import type { FoundTenant } from '../../registry/registry.ts';

/** How an organization's suspension or resumption ended. */
export interface StatusChangeResult {
  readonly clerkOrgId: string;
  readonly schema: string;
  /** `already-suspended` and `already-active`: nothing was changed. `skipped`: the run was stopped before. */
  readonly outcome: 'suspended' | 'already-suspended' | 'resumed' | 'already-active' | 'failed' | 'skipped';
  /** The migrations that `resume` has applied, also if it failed later. */
  readonly applied: readonly string[];
  readonly durationMs: number;
  readonly error?: TenantctlError | undefined;
}

export interface StatusChanges {
  /** The run's number in the ledger; absent if it could not be recorded. */
  readonly run?: number;
  /** One for each organization. */
  readonly tenants: readonly StatusChangeResult[];
  /** The run was stopped before all organizations were served. */
  readonly interrupted: boolean;
  readonly durationMs: number;
}

export type StatusVerb = 'suspend' | 'resume';
export type StatusTenant = FoundTenant;

/** What the result is called, by the status. */
export const CHANGED = { SUSPENDED: 'suspended', ACTIVE: 'resumed' } as const;
export const UNCHANGED = { SUSPENDED: 'already-suspended', ACTIVE: 'already-active' } as const;

export function resultOf(
  { clerkOrgId, schema }: TenantNames,
  outcome: StatusChangeResult['outcome'],
  { error, ...more }: Partial<StatusChangeResult> = {},
): StatusChangeResult {
  const failure = error !== undefined && { error: error.with({ tenant: clerkOrgId }) };
  return { clerkOrgId, schema, outcome, applied: [], durationMs: 0, ...more, ...failure };
}

/** Pure. */
export function endingOf({ tenants }: StatusChanges): RunEnding {
  return endingOfOutcomes(tenants, { changed: Object.values(CHANGED), upToDate: Object.values(UNCHANGED) });
}
