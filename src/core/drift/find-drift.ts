import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import { schemaMissing } from '../fleet/plan-fleet.ts';
import type { FleetSelection, RefusedTenant } from '../fleet/select-fleet.ts';
import { servedStatuses } from '../fleet/select-fleet.ts';
import { readStates, type StateFolders, type TenantState } from '../fleet/tenant-state.ts';
import { checkCall } from '../options/check-call.ts';
import { readTenantFolder } from '../plan/plan-folder.ts';
import { findTenants } from '../registry/registry.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { silent, type Observer } from '../report/event.ts';
import { createRunContext } from '../run/run-context.ts';
import { startStopwatch } from '../../stopwatch.ts';
import type { MigrationFolder } from '../files/source.ts';
import { assertReadable } from './assert-readable.ts';
import type { ReferenceWork } from './build-aside.ts';
import type { Cohort } from './cohort.ts';
import { readTenantSchemas } from './find-leads.ts';
import { readCohorts } from './read-cohorts.ts';
import { referencesOfMigrations, referencesOfTenant, type References } from './references.ts';

export interface DriftOptions extends Pick<FleetSelection, 'tenants' | 'include'>, StateFolders {
  /** `migrations`, the default, or the organization id or schema of a tenant. */
  readonly reference?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly observe?: Observer | undefined;
}

export interface Drift {
  /** `migrations`, or the organization id of a tenant. */
  readonly reference: string;
  readonly totals: {
    readonly selected: number;
    readonly alike: number;
    readonly differing: number;
    readonly notCompared: number;
    readonly failed: number;
  };
  readonly interrupted: boolean;
  readonly durationMs: number;
  /** Those that differ first, then by size. */
  readonly cohorts: readonly Cohort[];
  /** Tenants without a schema. */
  readonly failed: readonly RefusedTenant[];
}

/** Builds a reference from the migrations. */
export const MIGRATIONS = 'migrations';

/**
 * Reads the shapes of all ACTIVE tenants, or of the named ones whatever their status, and compares each with the
 * reference. Tenants with the same history and shape are one cohort. Changes nothing and takes no tenant's lock.
 * @throws TenantctlError REGISTRY_ABSENT, REGISTRY_INVALID, TENANT_UNKNOWN, SCHEMA_MISSING of the reference,
 *   REFERENCE_FAILED, MIGRATIONS_FOLDER_EMPTY, RIGHTS_MISSING
 */
export async function findDrift(database: Database, given: DriftOptions): Promise<Drift> {
  const options = checkCall(database, given, 'tenantFolder');
  const { observe = silent, signal, reference = MIGRATIONS } = options;
  const elapsedMs = startStopwatch();
  const context = createRunContext(database, { signal });
  const { folder } = await readTenantFolder({ ...options, folder: options.tenantFolder });
  const states = await selectStates(database, options, folder);
  const present = states.filter(({ tenant }) => tenant.hasSchema);
  await assertReadable(
    database,
    present.map(({ tenant }) => tenant.schema),
  );
  const comparison = {
    folder,
    references: await openReferences({ context, folder, observe }, reference),
    schemas: await readTenantSchemas(database),
    observe,
  };
  const cohorts = await readCohorts(context, present, comparison);
  database.assertOpen();
  const count = (outcome: Cohort['outcome']) =>
    cohorts
      .filter((cohort) => cohort.outcome === outcome)
      .reduce((sum, { tenants }) => sum + tenants.length, 0);
  const failed = states.filter(({ tenant }) => !tenant.hasSchema);
  const totals = {
    selected: states.length,
    alike: count('alike'),
    differing: count('differs'),
    notCompared: count('not-compared'),
    failed: failed.length,
  };
  return {
    reference,
    totals,
    interrupted:
      signal?.aborted === true && totals.alike + totals.differing + totals.notCompared < present.length,
    durationMs: elapsedMs(),
    cohorts,
    failed: failed.map(({ tenant }) => ({ tenant, error: schemaMissing(tenant) })),
  };
}

async function selectStates(
  database: Database,
  { tenants, include }: DriftOptions,
  folder: MigrationFolder,
): Promise<TenantState[]> {
  await assertRegistry(database);
  const only = tenants === undefined ? undefined : await findTenants(database, tenants);
  const states = await readStates(database, only, folder);
  const statuses: readonly string[] = servedStatuses({ include });
  return tenants === undefined ? states.filter(({ tenant }) => statuses.includes(tenant.status)) : states;
}

/** @throws TenantctlError TENANT_UNKNOWN, SCHEMA_MISSING, RIGHTS_MISSING */
export async function openReferences(work: ReferenceWork, reference: string): Promise<References> {
  if (reference === MIGRATIONS) return referencesOfMigrations(work);
  const { context, folder } = work;
  const { database } = context;
  const [state] = await readStates(database, await findTenants(database, [reference]), folder);
  if (state === undefined) throw new TenantctlError('TENANT_UNKNOWN', `There is no tenant "${reference}".`);
  if (!state.tenant.hasSchema) throw schemaMissing(state.tenant);
  await assertReadable(database, [state.tenant.schema]);
  return referencesOfTenant(context, state);
}
