import type { ErrorReport } from '../../errors.ts';
import type { MasterResult } from '../commands/migrate-master.ts';
import type { ProvisionResult } from '../tenant/provision.ts';
import type { ClassCounts } from '../report/class-counts.ts';
import type { FleetResult, TenantOutcome } from '../report/results.ts';
import type { RolloutResult } from '../report/rollout-result.ts';

export interface TenantRunDocument {
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly outcome: TenantOutcome;
  readonly applied?: readonly string[];
  readonly reverted?: readonly string[];
  readonly batch: number;
  readonly durationMs: number;
  readonly reason?: string;
  readonly error?: ErrorReport;
}

export interface FleetDocument {
  /** The number of the run in the ledger; absent where it could not be recorded. */
  readonly run?: number;
  readonly totals: {
    readonly selected: number;
    readonly upToDate: number;
    readonly migrated?: number;
    readonly rolledBack?: number;
    readonly failed: number;
    readonly skipped: number;
  };
  /** The selected tenants by class at the end of the run, whoever changed them; absent if that could not be read. */
  readonly fleet?: ClassCounts;
  readonly shared: boolean;
  readonly interrupted: boolean;
  readonly durationMs: number;
  readonly notActive: Readonly<Record<string, number>>;
  /** With canaries, waves, a check or a limit. */
  readonly rollout?: RolloutResult;
  readonly tenants: readonly TenantRunDocument[];
}

/** `migrate tenants` and `rollback tenants`. Tenants that were up to date are listed with `all` only. */
export function fleetDocument(
  result: FleetResult,
  direction: 'applied' | 'reverted',
  all: boolean,
): FleetDocument {
  const { selected, upToDate, changed, undone, failed, skipped } = result.totals;
  return {
    ...numberOf(result),
    totals: {
      selected,
      upToDate,
      ...(direction === 'applied' ? { migrated: changed } : { rolledBack: changed }),
      ...(undone !== undefined && { rolledBack: undone }),
      failed,
      skipped,
    },
    ...(result.fleet !== undefined && { fleet: result.fleet }),
    shared: result.shared,
    interrupted: result.interrupted,
    durationMs: result.durationMs,
    notActive: result.notActive,
    ...(result.rollout !== undefined && { rollout: result.rollout }),
    tenants: result.tenants
      .filter((tenant) => all || tenant.outcome !== 'up-to-date')
      .map((tenant) => ({
        clerkOrgId: tenant.clerkOrgId,
        schema: tenant.schema,
        outcome: tenant.outcome,
        [direction]: tenant.names,
        ...(tenant.reverted !== undefined && { reverted: tenant.reverted }),
        batch: tenant.batch,
        durationMs: tenant.durationMs,
        ...(tenant.reason !== undefined && { reason: tenant.reason }),
        ...(tenant.error !== undefined && { error: tenant.error.toJSON() }),
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
  readonly tenants: readonly {
    readonly clerkOrgId: string;
    readonly schema: string;
    readonly outcome: ProvisionResult['outcome'];
    readonly applied: readonly string[];
    readonly durationMs: number;
    readonly error?: ErrorReport;
  }[];
}

/** `tenant provision`. */
export function provisionDocument(results: readonly ProvisionResult[]): ProvisionDocument {
  return {
    ...numberOf(results[0] ?? {}),
    tenants: results.map(({ clerkOrgId, schema, outcome, applied, durationMs, error }) => ({
      clerkOrgId,
      schema,
      outcome,
      applied,
      durationMs,
      ...(error !== undefined && { error: error.toJSON() }),
    })),
  };
}
