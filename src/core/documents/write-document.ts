import type { ErrorReport } from '../../errors.ts';
import type { FleetResult, TenantResult } from '../report/results.ts';
import { withReport } from './document.ts';

/** `exec --write`. */
export interface WriteDocument extends Omit<FleetResult, 'totals' | 'tenants'> {
  readonly totals: Omit<FleetResult['totals'], 'changed' | 'undone'> & { readonly written: number };
  readonly tenants: readonly (Pick<TenantResult, 'clerkOrgId' | 'schema' | 'outcome' | 'durationMs'> & {
    readonly error?: ErrorReport;
    readonly reason?: string | undefined;
  })[];
}

/** Tenants in which nothing was left to do are only counted. */
export function writeDocument({ run, totals, tenants, ...rest }: FleetResult): WriteDocument {
  const { selected, upToDate, changed: written, failed, skipped } = totals;
  return {
    ...(run !== undefined && { run }),
    totals: { selected, upToDate, written, failed, skipped },
    ...rest,
    tenants: tenants
      .filter(({ outcome }) => outcome !== 'up-to-date')
      .map(withReport)
      .map(({ clerkOrgId, schema, outcome, durationMs, reason, error }) => ({
        clerkOrgId,
        schema,
        outcome,
        durationMs,
        ...(reason !== undefined && { reason }),
        ...(error !== undefined && { error }),
      })),
  };
}
