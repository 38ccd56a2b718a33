import type { ErrorReport } from '../../errors.ts';
import type { BackfillResult, Changed } from '../commands/backfill-tenants.ts';
import type { FleetResult, TenantResult } from '../report/results.ts';
import { withReport } from './document.ts';

/** `exec --write`; with `--batch` also the rows and batches. */
export interface WriteDocument extends Omit<FleetResult, 'totals' | 'tenants' | 'fleet'> {
  readonly totals: Omit<FleetResult['totals'], 'changed' | 'undone'> & {
    readonly written: number;
  } & Partial<Changed>;
  readonly tenants: readonly (Pick<
    TenantResult,
    'clerkOrgId' | 'schema' | 'outcome' | 'durationMs' | 'reason'
  > &
    Partial<Changed> & { readonly error?: ErrorReport })[];
}

/** Tenants in which nothing was left to do are only counted. */
export function writeDocument({
  run,
  totals,
  tenants,
  ...rest
}: FleetResult | BackfillResult): WriteDocument {
  const { changed: written, selected, upToDate, failed, skipped } = totals;
  const shown = tenants.filter(({ outcome }) => outcome !== 'up-to-date');
  return {
    ...(run !== undefined && { run }),
    totals: { selected, upToDate, written, failed, skipped, ...changedBy(totals) },
    ...rest,
    tenants: shown.map((tenant) => {
      const { clerkOrgId, schema, outcome, durationMs, reason, error } = withReport(tenant);
      const why = { ...(reason !== undefined && { reason }), ...(error !== undefined && { error }) };
      return { clerkOrgId, schema, outcome, ...changedBy(tenant), durationMs, ...why };
    }),
  };
}

function changedBy(counted: object): Partial<Changed> {
  if (!('rows' in counted)) return {};
  const { rows, batches } = counted as Changed;
  return { rows, batches };
}
