import type { TenantNames } from '../../../names.ts';
import { verbResult, type VerbResult, type VerbResults } from '../../commands/verb-result.ts';
import { endingOfOutcomes, type RunEnding } from '../../ledger/run-ending.ts';
import type { FoundTenant } from '../../registry/registry.ts';

/** How an organization's suspension or resumption ended. */
export interface StatusChangeResult extends VerbResult<
  'suspended' | 'already-suspended' | 'resumed' | 'already-active'
> {
  /** The migrations that `resume` has applied, also if it failed later. */
  readonly applied: readonly string[];
}

export type StatusChanges = VerbResults<StatusChangeResult>;

export type StatusVerb = 'suspend' | 'resume';
export type StatusTenant = FoundTenant;

/** What the result is called, by the status. */
export const CHANGED = { SUSPENDED: 'suspended', ACTIVE: 'resumed' } as const;
export const UNCHANGED = { SUSPENDED: 'already-suspended', ACTIVE: 'already-active' } as const;

export function resultOf(
  tenant: TenantNames,
  outcome: StatusChangeResult['outcome'],
  more: Partial<StatusChangeResult> = {},
): StatusChangeResult {
  return verbResult(tenant, outcome, { applied: [], ...more });
}

/** Pure. */
export function endingOf({ tenants }: StatusChanges): RunEnding {
  return endingOfOutcomes(tenants, { changed: Object.values(CHANGED), upToDate: Object.values(UNCHANGED) });
}
