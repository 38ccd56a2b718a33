import type { ErrorReport } from '../../errors.ts';
import type { MasterResult } from '../commands/migrate-master.ts';
import type { ProvisionResult } from '../tenant/provision.ts';
import type { FleetResult, TenantResult } from '../report/results.ts';
import { withReport } from './document.ts';

/** A tenant's result with `applied` or `reverted` in the place of `names`. */
export interface TenantRunDocument extends Omit<TenantResult, 'names' | 'error'> {
  readonly applied?: readonly string[];
  readonly error?: ErrorReport;
}

/** A run's result. `totals` has `migrated` or `rolledBack` in the place of `changed` and `undone`. */
export interface FleetDocument extends Omit<FleetResult, 'totals' | 'tenants'> {
  readonly totals: Omit<FleetResult['totals'], 'changed' | 'undone'> & {
    readonly migrated?: number;
    readonly rolledBack?: number;
  };
  readonly tenants: readonly TenantRunDocument[];
}

/** `migrate tenants` and `rollback tenants`. Tenants that were up to date are listed with `all` only. */
export function fleetDocument(
  { run, totals, fleet, tenants, ...rest }: FleetResult,
  direction: 'applied' | 'reverted',
  all: boolean,
): FleetDocument {
  const { selected, upToDate, changed, undone, failed, skipped } = totals;
  return {
    ...(run !== undefined && { run }),
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

export interface MasterDocument {
  readonly run?: number;
  readonly applied?: readonly string[];
  readonly reverted?: readonly string[];
  readonly batch: number;
  readonly durationMs: number;
}

/** `migrate master` and `rollback master`. */
export function masterDocument(result: MasterResult, direction: 'applied' | 'reverted'): MasterDocument {
  return {
    ...numberOf(result),
    [direction]: result.names,
    batch: result.batch,
    durationMs: result.durationMs,
  };
}

/** The run that a document is about, where the ledger has it. */
export function numberOf({ run }: { readonly run?: number }): { readonly run?: number } {
  return run === undefined ? {} : { run };
}

export interface ProvisionDocument {
  readonly run?: number;
  readonly tenants: readonly (Omit<ProvisionResult, 'run' | 'error'> & { readonly error?: ErrorReport })[];
}

/** `tenant provision`. */
export function provisionDocument(results: readonly ProvisionResult[]): ProvisionDocument {
  return {
    ...numberOf(results[0] ?? {}),
    tenants: results.map(({ clerkOrgId, schema, outcome, applied, durationMs, error }) =>
      withReport({ clerkOrgId, schema, outcome, applied, durationMs, error }),
    ),
  };
}
