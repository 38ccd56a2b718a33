import type { Tombstone } from '../state/tombstones.ts';
import type { RemovalPlan } from '../tenant/removal/removal-run.ts';
import type { Removals } from '../tenant/removal/removal-result.ts';
import { tenantsDocument, withReport, type TenantsDocument } from './document.ts';

/** `tenant drop` and `tenant archive`. */
export type RemovalsDocument = TenantsDocument<Removals>;

export const removalsDocument = (result: Removals): RemovalsDocument => tenantsDocument(result);

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
