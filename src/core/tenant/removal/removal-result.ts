import type { TenantNames } from '../../../names.ts';
import type { TenantctlError } from '../../../errors.ts';
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
export interface RemovalResult {
  readonly clerkOrgId: string;
  readonly schema: string;
  /** `already-dropped` and `already-archived`: nothing was changed. `skipped`: the run was stopped before. */
  readonly outcome: 'dropped' | 'already-dropped' | 'archived' | 'already-archived' | 'failed' | 'skipped';
  /** The absolute path of the backup that was made first; absent without one. */
  readonly backupFile?: string | undefined;
  readonly durationMs: number;
  readonly error?: TenantctlError | undefined;
}

export interface Removals {
  /** The run's number in the ledger; absent if it could not be recorded. */
  readonly run?: number;
  /** One for each organization. */
  readonly tenants: readonly RemovalResult[];
  /** The run was stopped before all organizations were served. */
  readonly interrupted: boolean;
  readonly durationMs: number;
}

/** What the result is called, by the verb. */
export const REMOVED = { drop: 'dropped', archive: 'archived' } as const;
export const REMOVED_BEFORE = { drop: 'already-dropped', archive: 'already-archived' } as const;

export function resultOf(
  { clerkOrgId, schema }: TenantNames,
  outcome: RemovalResult['outcome'],
  { error, ...more }: Partial<RemovalResult> = {},
): RemovalResult {
  const failure = error !== undefined && { error: error.with({ tenant: clerkOrgId }) };
  return { clerkOrgId, schema, outcome, durationMs: 0, ...more, ...failure };
}

/** Pure. */
export function endingOf({ tenants }: Removals): RunEnding {
  return endingOfOutcomes(tenants, {
    changed: Object.values(REMOVED),
    upToDate: Object.values(REMOVED_BEFORE),
  });
}
