import type { InvalidIndex } from '../../errors.ts';
import type { RegisteredTenant } from '../registry/registry.ts';
import type { Resolution } from '../commands/resolve.ts';
import type { FleetStatus, TenantState } from '../fleet/status.ts';
import type { AttentionCode, Interruption } from '../fleet/attention.ts';
import type { ResolutionCommands } from '../state/resolution-commands.ts';

export interface RegistryDocument extends Pick<RegisteredTenant, 'clerkOrgId' | 'schema' | 'status'> {
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

export interface TenantStateDocument
  extends
    Pick<RegisteredTenant, 'clerkOrgId' | 'schema' | 'status'>,
    Pick<TenantState, 'class' | 'applied' | 'pending' | 'lastError'> {
  readonly code: AttentionCode | null;
  readonly problem: string | null;
  /** A `transaction: false` migration whose outcome is not known, and the two commands that record it. */
  readonly interrupted?: InterruptionDocument;
  readonly invalidIndexes?: readonly InvalidIndex[];
}

export interface InterruptionDocument
  extends Pick<Interruption, 'migration' | 'direction'>, ResolutionCommands {
  readonly startedAt: string;
}

export function interruptionDocument(interrupted: Interruption): InterruptionDocument {
  const { migration, direction, startedAt, commands } = interrupted;
  return { migration, direction, startedAt: startedAt.toISOString(), ...commands };
}

/** A tenant in `attention` and `all` of `status`. */
export function tenantStateDocument(state: TenantState): TenantStateDocument {
  return {
    clerkOrgId: state.tenant.clerkOrgId,
    schema: state.tenant.schema,
    status: state.tenant.status,
    class: state.class,
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
  readonly resolved: Resolution;
}

/** `resolve`. */
export function resolutionDocument(resolved: Resolution): ResolutionDocument {
  return { resolved };
}
