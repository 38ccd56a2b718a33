import type { ErrorReport } from '../../errors.ts';
import type { FleetResult, TenantResult } from '../report/results.ts';
import { withReport } from './document.ts';

/** A tenant's result with `seeds` instead of `names`. */
export interface SeededTenantDocument extends Omit<TenantResult, 'names' | 'batch' | 'error'> {
  readonly seeds: readonly string[];
  readonly error?: ErrorReport;
}

/** A run's result with `seeded` in `totals` instead of `changed`. */
export interface SeedDocument extends Omit<FleetResult, 'totals' | 'tenants' | 'fleet'> {
  readonly totals: Omit<FleetResult['totals'], 'changed' | 'undone'> & { readonly seeded: number };
  readonly tenants: readonly SeededTenantDocument[];
}

/** `seed tenants`. Tenants that have their seeds are listed only with `all`. */
export function seedDocument({ totals, tenants, ...rest }: FleetResult, all: boolean): SeedDocument {
  const { selected, upToDate, changed: seeded, failed, skipped } = totals;
  return {
    ...rest,
    totals: { selected, upToDate, seeded, failed, skipped },
    tenants: tenants
      .filter(({ outcome }) => all || outcome !== 'up-to-date')
      .map(withReport)
      .map(({ clerkOrgId, schema, outcome, names: seeds, batch: _batch, ...more }) => ({
        clerkOrgId,
        schema,
        outcome,
        seeds,
        ...more,
      })),
  };
}
