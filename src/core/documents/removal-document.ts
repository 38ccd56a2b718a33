import type { ErrorReport } from '../../errors.ts';
import type { Tombstone } from '../state/tombstones.ts';
import type { RemovalPlan } from '../tenant/removal/removal-run.ts';
import type { RemovalResult, Removals } from '../tenant/removal/removal-result.ts';
import { withReport } from './document.ts';

/** `tenant drop` and `tenant archive`. */
export interface RemovalsDocument extends Omit<Removals, 'tenants'> {
  readonly tenants: readonly (Omit<RemovalResult, 'error'> & { readonly error?: ErrorReport })[];
}

export function removalsDocument({ run, tenants, ...rest }: Removals): RemovalsDocument {
  return { ...(run !== undefined && { run }), ...rest, tenants: tenants.map(withReport) };
}

export type PlannedRemovalsDocument = ReturnType<typeof plannedRemovalsDocument>;

/** With `--dry-run`: what would go, and why others would not. */
export function plannedRemovalsDocument({ losses, results }: RemovalPlan) {
  const refused = results.filter(({ error }) => error !== undefined).map(withReport);
  return { dryRun: true, tenants: losses, refused } as const;
}

export type DroppedDocument = ReturnType<typeof droppedDocument>;

/** A tenant of `tenant list --dropped` and `tenant drop --forget`. */
export function droppedDocument({ clerkOrgId, schema, droppedAt, backupFile }: Tombstone) {
  return { clerkOrgId, schema, droppedAt: droppedAt.toISOString(), backupFile };
}
