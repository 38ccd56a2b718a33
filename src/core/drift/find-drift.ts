import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import { counted } from '../../wording.ts';
import { schemaMissing } from '../fleet/plan-fleet.ts';
import type { FleetSelection, RefusedTenant } from '../fleet/select-fleet.ts';
import { servedStatuses } from '../fleet/select-fleet.ts';
import { readStates, type StateFolders, type TenantState } from '../fleet/tenant-state.ts';
import { checkCall } from '../options/check-call.ts';
import { readTenantFolder } from '../plan/plan-folder.ts';
import { findTenants } from '../registry/registry.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { silent, type Observer } from '../report/event.ts';
import { createRunContext, type RunContext } from '../run/run-context.ts';
import { compareShapes } from '../shape/compare-shapes.ts';
import { readShapes } from '../shape/read-shapes.ts';
import type { Shape } from '../shape/shape.ts';
import { startStopwatch } from '../../stopwatch.ts';
import type { MigrationFolder } from '../files/source.ts';
import { assertReadable } from './assert-readable.ts';
import { KEPT_DIFFERENCES, type Cohort } from './cohort.ts';
import { findLeads, readTenantSchemas } from './find-leads.ts';
import { historyKey, referencesOfMigrations, referencesOfTenant, type References } from './references.ts';

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
  const cohorts = await readCohorts(context, present, {
    references: await openReferences(context, reference, folder),
    schemas: await readTenantSchemas(database),
    observe,
  });
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
export async function openReferences(
  context: RunContext,
  reference: string,
  folder: MigrationFolder,
): Promise<References> {
  if (reference === MIGRATIONS) return referencesOfMigrations(context, folder);
  const { database } = context;
  const [state] = await readStates(database, await findTenants(database, [reference]), folder);
  if (state === undefined) throw new TenantctlError('TENANT_UNKNOWN', `There is no tenant "${reference}".`);
  if (!state.tenant.hasSchema) throw schemaMissing(state.tenant);
  await assertReadable(database, [state.tenant.schema]);
  return referencesOfTenant(context, state);
}

interface Comparison {
  readonly references: References;
  readonly schemas: ReadonlySet<string>;
  readonly observe: Observer;
}

interface GrowingCohort extends Cohort {
  readonly tenants: Cohort['tenants'][number][];
}

/** Keeps one shape at a time, beside the references. */
async function readCohorts(
  { database, signal }: RunContext,
  states: readonly TenantState[],
  comparison: Comparison,
): Promise<readonly Cohort[]> {
  const bySchema = new Map(states.map((state) => [state.tenant.schema, state]));
  const cohorts = new Map<string, GrowingCohort>();
  let done = 0;
  for await (const shape of readShapes(database, [...bySchema.keys()])) {
    const state = bySchema.get(shape.schema);
    if (signal?.aborted === true) break;
    if (state === undefined) continue;
    const key = `${historyKey(state.applied)} ${state.hasOutdatedScripts} ${shape.digest}`;
    const cohort = cohorts.get(key) ?? (await toCohort(database, state, shape, comparison));
    cohorts.set(key, cohort);
    cohort.tenants.push({ clerkOrgId: state.tenant.clerkOrgId, schema: shape.schema });
    done += 1;
    if (done % 100 === 0)
      comparison.observe({
        type: 'phase',
        message: `Comparing ${done} of ${counted(states.length, 'tenant')}`,
      });
  }
  return [...cohorts.values()].toSorted(
    (a, b) => ORDER.indexOf(a.outcome) - ORDER.indexOf(b.outcome) || b.tenants.length - a.tenants.length,
  );
}

const ORDER: readonly Cohort['outcome'][] = ['differs', 'not-compared', 'alike'];

async function toCohort(
  database: Database,
  state: TenantState,
  shape: Shape,
  { references, schemas }: Comparison,
): Promise<GrowingCohort> {
  const { applied, pending, lacks, hasOutdatedScripts } = state;
  const reference = await references.of(state);
  const base = {
    digest: shape.digest,
    version: applied.at(-1) ?? null,
    pending: [...pending, ...lacks, ...(hasOutdatedScripts ? ['repeatable scripts'] : [])],
    tenants: [],
    leads: findLeads(shape, schemas, database.names),
  };
  if ('reason' in reference)
    return {
      ...base,
      outcome: 'not-compared',
      differences: [],
      differenceCount: 0,
      reason: reference.reason,
    };
  const differences = compareShapes(reference.shape, shape);
  return {
    ...base,
    outcome: differences.length === 0 ? 'alike' : 'differs',
    differences: differences
      .slice(0, KEPT_DIFFERENCES)
      .map(({ kind, name, difference }) => ({ kind, name, difference })),
    differenceCount: differences.length,
  };
}
