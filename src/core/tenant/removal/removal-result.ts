import type { VerbResult, VerbResults } from '../../commands/verb-result.ts';
import { endingOfOutcomes, type RunEnding } from '../../ledger/run-ending.ts';
import type { RegisteredTenant } from '../../registry/registry.ts';

/** What takes a tenant's schema away. */
export type RemovalVerb = 'drop' | 'archive';

/** A tenant whose schema is to be taken away. */
export type RemovedTenant = Pick<
  RegisteredTenant,
  'clerkOrgId' | 'schema' | 'status' | 'owner' | 'hasSchema'
>;

/** How the drop or the archiving of a tenant ended. */
export interface RemovalResult extends VerbResult<
  'dropped' | 'already-dropped' | 'archived' | 'already-archived'
> {
  /** The absolute path of the backup that was made first; absent without one. */
  readonly backupFile?: string | undefined;
}

export type Removals = VerbResults<RemovalResult>;

/** What the result is called, by the verb. */
export const REMOVED = { drop: 'dropped', archive: 'archived' } as const;
export const REMOVED_BEFORE = { drop: 'already-dropped', archive: 'already-archived' } as const;

/** Pure. */
export function endingOf({ tenants }: Removals): RunEnding {
  return endingOfOutcomes(tenants, {
    changed: Object.values(REMOVED),
    upToDate: Object.values(REMOVED_BEFORE),
  });
}
