import type { ErrorReport, InvalidIndex } from '../errors.ts';
import type { MasterResult } from './master.ts';
import type { ProvisionResult } from './provision.ts';
import type { RegisteredTenant } from './registry.ts';
import type { Rehearsal } from './rehearse.ts';
import type { Resolution } from './resolve.ts';
import type { FleetResult, TenantOutcome } from './results.ts';
import type { RolloutResult } from './rollout/rollout-result.ts';
import type { Standing } from './standing.ts';
import type { FleetStatus, Interruption, TenantState } from './status.ts';

/** What every JSON document holds. The rest depends on the command: docs/json.md. */
export interface DocumentBase {
  readonly command: string;
  readonly ok: boolean;
  readonly error?: ErrorReport;
}

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
  /** How the selected tenants stand at the end, whoever has done it; absent where that could not be asked any more. */
  readonly fleet?: Standing;
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
function numberOf({ run }: { readonly run?: number }): { readonly run?: number } {
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

export interface RegistryDocument {
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly status: string;
  readonly createdAt: string | null;
  readonly updatedAt: string | null;
}

/** A tenant of `tenant list` and `tenant show`. */
export function registryDocument(tenant: RegisteredTenant): RegistryDocument {
  return {
    clerkOrgId: tenant.clerkOrgId,
    schema: tenant.schema,
    status: tenant.status,
    createdAt: tenant.createdAt?.toISOString() ?? null,
    updatedAt: tenant.updatedAt?.toISOString() ?? null,
  };
}

export interface TenantStateDocument {
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly status: string;
  readonly code: string | null;
  readonly problem: string | null;
  readonly applied: readonly string[];
  readonly pending: readonly string[];
  readonly lastError?: ErrorReport;
  /** A migration outside a transaction whose end is not known, and the two commands that say how it ended. */
  readonly interrupted?: InterruptionDocument;
  readonly invalidIndexes?: readonly InvalidIndex[];
}

export interface InterruptionDocument {
  readonly migration: string;
  readonly direction: 'up' | 'down';
  readonly startedAt: string;
  readonly applied: string;
  readonly retry: string;
}

function interruptionDocument(interrupted: Interruption): InterruptionDocument {
  const { migration, direction, startedAt, commands } = interrupted;
  return { migration, direction, startedAt: startedAt.toISOString(), ...commands };
}

/** A tenant in `attention` and `all` of `status`. */
export function tenantStateDocument(state: TenantState): TenantStateDocument {
  return {
    clerkOrgId: state.tenant.clerkOrgId,
    schema: state.tenant.schema,
    status: state.tenant.status,
    code: state.attention?.code ?? null,
    problem: state.attention?.problem ?? null,
    applied: state.applied,
    pending: state.pending,
    ...(state.lastError !== undefined && { lastError: state.lastError }),
    ...(state.interrupted !== undefined && { interrupted: interruptionDocument(state.interrupted) }),
    ...(state.invalidIndexes.length > 0 && { invalidIndexes: state.invalidIndexes }),
  };
}

export interface StatusDocument {
  readonly master: Omit<FleetStatus['master'], 'interrupted'> & {
    readonly interrupted?: InterruptionDocument;
  };
  readonly tenants: FleetStatus['tenants'];
  readonly attention: readonly TenantStateDocument[];
  /** Every tenant, with --all. */
  readonly all?: readonly TenantStateDocument[];
}

/** `status`. */
export function statusDocument(status: FleetStatus, all: boolean): StatusDocument {
  const { problem, interrupted, ...master } = status.master;
  return {
    master: {
      ...master,
      ...(problem !== undefined && { problem }),
      ...(interrupted !== undefined && { interrupted: interruptionDocument(interrupted) }),
    },
    tenants: status.tenants,
    attention: status.states.filter((state) => state.attention !== undefined).map(tenantStateDocument),
    ...(all && { all: status.states.map(tenantStateDocument) }),
  };
}

export interface ResolutionDocument {
  readonly resolved: {
    readonly clerkOrgId?: string;
    readonly schema: string;
    readonly migration: string;
    readonly direction: 'up' | 'down';
    readonly answer: Resolution['answer'];
    readonly recorded: boolean;
    readonly batch: number;
    readonly invalidIndexes: readonly InvalidIndex[];
  };
}

/** `resolve`. */
export function resolutionDocument({ clerkOrgId, ...resolution }: Resolution): ResolutionDocument {
  const { schema, migration, direction, answer, recorded, batch, invalidIndexes } = resolution;
  return {
    resolved: {
      ...(clerkOrgId !== undefined && { clerkOrgId }),
      schema,
      migration,
      direction,
      answer,
      recorded,
      batch,
      invalidIndexes,
    },
  };
}

/** What a dry run cannot show. */
export const REHEARSAL_NOTE =
  'nothing has been changed. The functions of the migrations have run; what they did in the database was rolled back (only sequences stay advanced, as PostgreSQL has it), what they did elsewhere (files, requests) was not, and is not shown.';

export interface RehearsalDocument {
  readonly dryRun: true;
  readonly note: string;
  readonly upToDate: number;
  readonly plans: readonly {
    readonly scope: 'master' | 'tenants';
    readonly targets: readonly { readonly clerkOrgId?: string; readonly schema: string }[];
    readonly shownOn: string;
    readonly migrations: readonly {
      readonly name: string;
      readonly transaction: boolean;
      readonly statements: readonly string[];
      readonly note?: string;
      readonly error?: ErrorReport;
    }[];
  }[];
  readonly problems: readonly ErrorReport[];
  readonly warnings: readonly string[];
}

/** Every command with `--dry-run`. */
export function rehearsalDocument(rehearsal: Rehearsal): RehearsalDocument {
  return {
    dryRun: true,
    note: REHEARSAL_NOTE,
    upToDate: rehearsal.upToDate,
    plans: rehearsal.plans.map((plan) => ({
      scope: plan.scope,
      targets: plan.targets.map(({ clerkOrgId, schema }) => ({
        ...(clerkOrgId !== undefined && { clerkOrgId }),
        schema,
      })),
      shownOn: plan.shownOn,
      migrations: plan.migrations.map(({ note, error, ...migration }) => ({
        ...migration,
        ...(note !== undefined && { note }),
        ...(error !== undefined && { error: error.toJSON() }),
      })),
    })),
    problems: rehearsal.problems.map(({ error }) => error.toJSON()),
    warnings: rehearsal.warnings,
  };
}
