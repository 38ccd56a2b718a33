import type { RegisteredTenant } from '../registry/registry.ts';
import type { Resolution } from '../commands/resolve.ts';
import type { FleetSnapshot } from '../fleet/snapshot.ts';
import type { FleetStatus } from '../fleet/status.ts';
import type { TenantState } from '../fleet/tenant-state.ts';
import type { Interruption } from '../fleet/attention.ts';
import { commandToEnd, type VerbIntent } from '../state/unfinished-verb.ts';
import { runDocument } from './run-document.ts';

export type RegistryDocument = ReturnType<typeof registryDocument>;

/** A tenant of `tenant list` and `tenant show`, with times in ISO 8601. */
export function registryDocument({ clerkOrgId, schema, status, createdAt, updatedAt }: RegisteredTenant) {
  return {
    clerkOrgId,
    schema,
    status,
    createdAt: createdAt?.toISOString() ?? null,
    updatedAt: updatedAt?.toISOString() ?? null,
  };
}

export type InterruptionDocument = ReturnType<typeof interruptionDocument>;

/** A `transaction: false` migration whose outcome is not known, and the two commands that record it. */
function interruptionDocument({ migration, direction, startedAt, commands }: Interruption) {
  return { migration, direction, startedAt: startedAt.toISOString(), ...commands };
}

/** A verb that has begun for a tenant and not ended, and what to type to end it. */
function unfinishedDocument(intent: VerbIntent) {
  const { verb, begunAt, run } = intent;
  return { verb, begunAt, run, command: commandToEnd(intent) };
}

export type TenantStateDocument = ReturnType<typeof tenantStateDocument>;

/** A tenant in `attention` and `all` of `status`. */
export function tenantStateDocument(state: TenantState) {
  const { tenant, attention, applied, pending, lacks, hasOutdatedScripts } = state;
  const { lastError, interrupted, unfinished, invalidIndexes } = state;
  return {
    clerkOrgId: tenant.clerkOrgId,
    schema: tenant.schema,
    status: tenant.status,
    class: state.class,
    code: attention?.code ?? null,
    problem: attention?.problem ?? null,
    applied,
    pending,
    ...(lacks.length > 0 && { lacks }),
    ...(hasOutdatedScripts && { outdatedScripts: true }),
    ...(lastError !== undefined && { lastError }),
    ...(interrupted !== undefined && { interrupted: interruptionDocument(interrupted) }),
    ...(unfinished !== undefined && { unfinished: unfinishedDocument(unfinished) }),
    ...(invalidIndexes.length > 0 && { invalidIndexes }),
  };
}

export type StatusDocument = ReturnType<typeof statusDocument>;

/** `status`. @param all with every tenant */
export function statusDocument(status: FleetStatus, all: boolean) {
  const { problem, interrupted, ...master } = status.master;
  return {
    master: {
      ...master,
      ...(problem !== undefined && { problem }),
      ...(interrupted !== undefined && { interrupted: interruptionDocument(interrupted) }),
    },
    tenants: status.tenants,
    ...(status.repeatable !== undefined && { repeatable: status.repeatable }),
    ...(status.unfinishedOnNodes !== undefined && { unfinishedOnNodes: status.unfinishedOnNodes }),
    versions: status.versions,
    attention: status.states.filter((state) => state.attention !== undefined).map(tenantStateDocument),
    ...(all && { all: status.states.map(tenantStateDocument) }),
  };
}

export type SnapshotDocument = ReturnType<typeof snapshotDocument>;

/** A line of `status --watch --json`. @param all with every tenant */
export function snapshotDocument({ at, status, runs, blockers }: FleetSnapshot, all: boolean) {
  return {
    at: at.toISOString(),
    ...statusDocument(status, all),
    runs: runs.map(runDocument),
    blockedBy: blockers,
  };
}

export type ResolutionDocument = ReturnType<typeof resolutionDocument>;

/** `resolve`. */
export function resolutionDocument(resolved: Resolution) {
  return { resolved };
}
