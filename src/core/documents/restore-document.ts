import type { RestorePlan } from '../tenant/restore.ts';
import type { RestoreResult } from '../tenant/restore/restore-result.ts';
import { withReport, type Reported } from './document.ts';

/** `tenant restore` and `tenant unarchive`. */
export interface RestoreDocument {
  readonly run?: number;
  readonly interrupted?: boolean;
  readonly tenants: readonly Reported<RestoreResult>[];
}

export function restoreDocument(
  results: readonly RestoreResult[],
  more: Omit<RestoreDocument, 'tenants'>,
): RestoreDocument {
  return { ...more, tenants: results.map(withReport) };
}

/** With `--dry-run`. */
export interface RestorePlanDocument {
  readonly dryRun: true;
  readonly tenants: readonly (RestoreDocument['tenants'][number] & {
    /** The organization that was backed up. */
    readonly backupOf?: string;
    /** The migrations that would build the schema. */
    readonly migrations?: readonly string[];
    /** With `--replace`: whether a tenant is there to be replaced. */
    readonly isReplaced?: boolean;
  })[];
}

/** @param outcome what would become of the tenants @param results of tenants that nothing would be done to */
export function restorePlanDocument(
  plans: readonly RestorePlan[],
  outcome: 'restored' | 'unarchived',
  results: readonly RestoreResult[] = [],
): RestorePlanDocument {
  const planned = plans.map(({ clerkOrgId, schema, manifest, pending, isReplaced }) => ({
    clerkOrgId,
    schema,
    outcome,
    madeAt: manifest.madeAt,
    backupOf: manifest.clerkOrgId,
    tables: manifest.content.tables.length,
    rows: manifest.measures.reduce((sum, { rows }) => sum + rows, 0),
    migrations: manifest.migrations.map(({ name }) => name),
    applied: pending,
    isReplaced,
    durationMs: 0,
  }));
  return { dryRun: true, tenants: [...planned, ...results.map(withReport)] };
}
