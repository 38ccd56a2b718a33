import type { ErrorReport } from '../../errors.ts';
import type { MasterResult } from '../commands/migrate-master.ts';
import type { FleetResult, TenantResult } from '../report/results.ts';
import { withReport } from './document.ts';
import type { ProvisionResult } from '../tenant/provision/provision-result.ts';

/** A tenant's result with `applied` or `reverted` instead of `names`. */
export interface TenantRunDocument extends Omit<TenantResult, 'names' | 'error'> {
  readonly applied?: readonly string[];
  readonly error?: ErrorReport;
}

/** A run's result with `migrated` or `rolledBack` in `totals` instead of `changed` and `undone`. */
export interface FleetDocument extends Omit<FleetResult, 'totals' | 'tenants'> {
  readonly totals: Omit<FleetResult['totals'], 'changed' | 'undone'> & {
    readonly migrated?: number;
    readonly rolledBack?: number;
  };
  readonly tenants: readonly TenantRunDocument[];
}

/** `migrate tenants` and `rollback tenants`. Tenants that were up to date are listed only with `all`. */
export function fleetDocument(
  { run, totals, fleet, tenants, ...rest }: FleetResult,
  direction: 'applied' | 'reverted',
  all: boolean,
): FleetDocument {
  const { selected, upToDate, changed, undone, failed, skipped } = totals;
  return {
    ...numberOf(run),
    totals: {
      selected,
      upToDate,
      ...(direction === 'applied' ? { migrated: changed } : { rolledBack: changed }),
      ...(undone !== undefined && { rolledBack: undone }),
      failed,
      skipped,
    },
    ...(fleet !== undefined && { fleet }),
    ...rest,
    tenants: tenants
      .filter((tenant) => all || tenant.outcome !== 'up-to-date')
      .map(withReport)
      .map(({ clerkOrgId, schema, outcome, names, ...more }) => ({
        clerkOrgId,
        schema,
        outcome,
        [direction]: names,
        ...more,
      })),
  };
}

export interface MasterDocument extends Pick<MasterResult, 'run' | 'batch' | 'durationMs' | 'notices'> {
  readonly applied?: readonly string[];
  readonly reverted?: readonly string[];
}

/** `migrate master` and `rollback master`. */
export function masterDocument(
  { run, names, batch, durationMs, notices }: MasterResult,
  direction: 'applied' | 'reverted',
): MasterDocument {
  return { ...numberOf(run), [direction]: names, batch, durationMs, ...(notices && { notices }) };
}

function numberOf(run: number | undefined): { readonly run?: number } {
  return run === undefined ? {} : { run };
}

export type ProvisionDocument = ReturnType<typeof provisionDocument>;

/** `tenant provision`. */
export function provisionDocument(results: readonly ProvisionResult[]) {
  return {
    ...numberOf(results[0]?.run),
    tenants: results.map(provisionedTenant),
  };
}

function provisionedTenant(result: ProvisionResult) {
  const { clerkOrgId, schema, outcome, applied, seeds, durationMs, behind, attention, line, error } = result;
  const more = {
    ...(seeds && { seeds }),
    ...(behind && { behind }),
    ...(attention && { attention }),
    ...(line !== undefined && { line }),
  };
  return withReport({ clerkOrgId, schema, outcome, applied, durationMs, ...more, error });
}
