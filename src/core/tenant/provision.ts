import { TenantctlError, toTenantctlError } from '../../errors.ts';
import { checkArguments, checkOptions } from '../options/check-options.ts';
import { recordFiles } from '../state/checksums.ts';
import { createRunContext, type RunOptions } from '../run/run-context.ts';
import { serveFleet } from '../strategy/serve-fleet.ts';
import { createLanes, ONE_LANE, type Concurrency, type Lanes } from '../run/lanes.ts';
import {
  closingOf,
  createSchemaStatements,
  makeTenant,
  refusedStatus,
  type Provisioning,
} from './make-tenant.ts';
import type { Due } from '../fleet/plan-fleet.ts';
import { EMPTY_HISTORY } from '../target/history.ts';
import { planForward } from '../plan/plan.ts';
import { assertSessions } from '../apply/sessions-needed.ts';
import type { MigrationFolder } from '../files/source.ts';
import { silent, type Observer } from '../report/event.ts';
import { registerTenants, unregisterTenants, type Registration } from '../registry/register-tenants.ts';
import { assertRegistry, registryColumns } from '../registry/registry.ts';
import type { TenantResult } from '../report/results.ts';
import { askedOf } from '../commands/asked-of.ts';
import { withRun, type RecordedRun, type RunEnding } from '../ledger/recorded-run.ts';
import { newSchemaName } from '../registry/schema-name.ts';
import { prepareRoles, roleErrorOf } from '../roles/prepare-roles.ts';
import { ensureState } from '../install/state-schema.ts';
import { ensureVectorExtension, type VectorExtensionMode } from '../run/vector-extension.ts';
import { refusePendingMaster } from '../plan/plan-master.ts';
import { readTenantFolder } from '../plan/tenant-folder.ts';
import { UNFINISHED } from '../registry/set-status.ts';
import { readStateVersion } from '../state/version.ts';
import type { Database } from '../../db/database.ts';
import type { Names } from '../../names.ts';

export interface ProvisionOptions extends RunOptions {
  /** The folder of the tenant migrations; it may be empty. */
  readonly folder: string;
  /** The folder of the master migrations: pending ones there are refused. Not looked at where absent. */
  readonly masterFolder?: string | undefined;
  readonly vectorExtension?: VectorExtensionMode | undefined;
  /** Tenants made at once; 4, or what the server has free, where absent. */
  readonly concurrency?: Concurrency | undefined;
  /** False: every migration is gone through with every tenant, statement by statement. */
  readonly compile?: boolean | undefined;
  readonly observe?: Observer | undefined;
}

export interface ProvisionResult {
  /** The number of the run in the ledger; absent where it could not be recorded. */
  readonly run?: number;
  readonly clerkOrgId: string;
  /** Empty where the organization id was refused. */
  readonly schema: string;
  readonly outcome: 'provisioned' | 'already-active' | 'failed';
  readonly applied: readonly string[];
  readonly durationMs: number;
  readonly error?: TenantctlError | undefined;
}

/** How many organizations are entered into the registry at once. */
const REGISTERED_AT_ONCE = 1_000;

/**
 * Makes tenants of organizations: a row in the registry, visible as PROVISIONING from the first moment; the schema,
 * its migrations and ACTIVE in one transaction, several tenants side by side. A failure leaves FAILED with the reason
 * and no half-made schema; provisioning again finishes the job. An ACTIVE tenant is left as it is.
 * @returns a result for each organization; those that were not begun when the run was told to stop have none
 * @throws TenantctlError for what keeps the work from beginning; one organization's failure is in its result
 */
export async function provisionTenants(
  database: Database,
  organizationIds: readonly string[],
  given: ProvisionOptions,
): Promise<ProvisionResult[]> {
  checkArguments({ organizationIds });
  const options = checkOptions(given, 'folder');
  const facts = {
    command: 'tenant provision',
    options: askedOf(options),
    keep: options.keepRuns,
    observe: options.observe ?? silent,
  } as const;
  const { run, results } = await withRun(
    database,
    facts,
    options.run,
    async (run) => ({ results: await provisionInRun(database, organizationIds, options, run) }),
    ({ results }) => endingOf(results, new Set(organizationIds).size),
  );
  return run === undefined ? results : results.map((result) => ({ ...result, run }));
}

/** How the ledger has the end of a run that was to make so many tenants. */
function endingOf(results: readonly ProvisionResult[], wanted: number): RunEnding {
  const count = (outcome: ProvisionResult['outcome']) =>
    results.filter((result) => result.outcome === outcome).length;
  const totals = {
    selected: wanted,
    upToDate: count('already-active'),
    changed: count('provisioned'),
    failed: count('failed'),
    skipped: wanted - results.length,
  };
  return { outcome: totals.failed > 0 ? 'failed' : totals.skipped > 0 ? 'interrupted' : 'done', totals };
}

async function provisionInRun(
  database: Database,
  organizationIds: readonly string[],
  options: ProvisionOptions,
  run: RecordedRun,
): Promise<ProvisionResult[]> {
  const observe = options.observe ?? silent;
  await assertRegistry(database);
  const { folder } = await readTenantFolder({ folder: options.folder, allowEmptyFolder: true });
  if (options.masterFolder !== undefined) await refusePendingMaster(database, options.masterFolder, {});
  await ensureState(database, await readStateVersion(database));
  const context = createRunContext(database, { ...options, run });
  assertSessions(database, await Promise.all(folder.files.map((file) => context.load(file))), 'up');
  await ensureVectorExtension(database, options.vectorExtension ?? 'auto', observe);

  const ids = [...new Set(organizationIds)];
  const lanes = ids.length > 1 ? await createLanes(database, options.concurrency) : ONE_LANE;
  const provisioning: Provisioning = {
    context,
    folder,
    hasUpdatedAt: (await registryColumns(database))?.includes(database.names.columns.updated) === true,
    observe,
    alreadyActive: new Set(),
    created: new Set(),
    roles: new Map(),
  };
  const results: ProvisionResult[] = [];
  for (let at = 0; at < ids.length && context.signal?.aborted !== true; at += REGISTERED_AT_ONCE) {
    const chunk = ids.slice(at, at + REGISTERED_AT_ONCE);
    results.push(...(await provisionChunk(provisioning, run, chunk, lanes, options.compile !== false)));
  }
  return results;
}

/** provisionTenants for one organization; throws where its result would be a failure. */
export async function provisionTenant(
  database: Database,
  organizationId: string,
  options: ProvisionOptions,
): Promise<ProvisionResult> {
  const [result] = await provisionTenants(database, [organizationId], options);
  if (result === undefined)
    throw new TenantctlError('INTERRUPTED', 'Provisioning was interrupted before it began.');
  if (result.error !== undefined) throw result.error;
  return result;
}

async function provisionChunk(
  provisioning: Provisioning,
  run: RecordedRun,
  ids: readonly string[],
  lanes: Lanes,
  compile: boolean,
): Promise<ProvisionResult[]> {
  const { context, folder, observe } = provisioning;
  const { database } = context;
  const results = new Map<string, ProvisionResult>();
  const dues: Due[] = [];
  const isNew = new Set<string>();
  const rows = await register(database, ids);
  const roles = await prepareRoles(context, [...rows.values()]);
  for (const [clerkOrgId, row] of rows) {
    const role = 'schema' in row ? roles.get(row.schema) : undefined;
    const error = 'error' in row ? row.error : (refusedStatus(clerkOrgId, row.status) ?? roleErrorOf(role));
    const schema = 'error' in row ? '' : row.schema;
    if ('isNew' in row && row.isNew) isNew.add(clerkOrgId);
    if (error !== undefined) results.set(clerkOrgId, failed(clerkOrgId, schema, error));
    else if ('status' in row && row.status === 'ACTIVE') {
      results.set(clerkOrgId, { clerkOrgId, schema, outcome: 'already-active', applied: [], durationMs: 0 });
    } else {
      if (role !== undefined && 'statements' in role) provisioning.roles.set(schema, role);
      dues.push(dueOf(database.names, folder, clerkOrgId, schema, role?.name ?? null));
    }
  }
  await unregisterTenants(
    database,
    [...results.values()].filter(({ clerkOrgId }) => isNew.has(clerkOrgId)),
  );
  if (dues.length > 1) observe({ type: 'selected', total: ids.length, due: dues.length });
  else
    for (const { tenant } of dues) observe({ type: 'phase', message: `Provisioning ${tenant.clerkOrgId}` });

  if (dues.length > 0) {
    await run.begin(folder.files.map(({ name }) => name)).catch(async (error: unknown) => {
      await unregisterTenants(
        database,
        dues.map(({ tenant }) => tenant).filter(({ clerkOrgId }) => isNew.has(clerkOrgId)),
      );
      throw error;
    });
  }
  const served = await serveFleet(context, dues, {
    command: 'tenant provision',
    direction: 'up',
    statuses: UNFINISHED,
    serve: (due, { isPilot, record }) => makeTenant(provisioning, due, isPilot, record),
    opening: ({ tenant }) => createSchemaStatements(provisioning, tenant.schema),
    closing: ({ tenant }) => closingOf(provisioning, tenant.schema),
    isDone({ tenant }, { status }) {
      if (status === 'ACTIVE') provisioning.alreadyActive.add(tenant.clerkOrgId);
      return status === 'ACTIVE';
    },
    lanes,
    compile: compile && !database.sharedSession,
    observe,
  });
  const notBegun = served.filter(({ outcome }) => outcome === 'skipped');
  await unregisterTenants(
    database,
    notBegun.filter(({ clerkOrgId }) => isNew.has(clerkOrgId)),
  );
  const applied = new Set(served.flatMap(({ names }) => names));
  await recordFiles(
    database,
    'tenants',
    folder.files.filter((file) => applied.has(file.name)),
  );
  for (const result of served) {
    if (result.outcome !== 'skipped') results.set(result.clerkOrgId, toProvisionResult(provisioning, result));
  }
  return ids.flatMap((id) => results.get(id) ?? []);
}

/** The rows of these organizations; those whose id is refused have an error in its place. */
async function register(database: Database, ids: readonly string[]): Promise<Map<string, Registration>> {
  const refused = new Map<string, Registration>();
  const wanted: { clerkOrgId: string; schema: string }[] = [];
  for (const clerkOrgId of ids) {
    try {
      wanted.push({ clerkOrgId, schema: newSchemaName(database.names, clerkOrgId) });
    } catch (error) {
      refused.set(clerkOrgId, { error: toTenantctlError(error) });
    }
  }
  if (wanted.length === 0) return refused;
  return new Map([...refused, ...(await registerTenants(database, wanted))]);
}

/** What a new tenant is due. One that an earlier attempt left something of turns out to be another case later. */
function dueOf(
  { tenantHistory: table }: Names,
  folder: MigrationFolder,
  clerkOrgId: string,
  schema: string,
  owner: string | null,
): Due {
  return {
    tenant: {
      clerkOrgId,
      schema,
      status: 'PROVISIONING',
      createdAt: null,
      updatedAt: null,
      hasSchema: false,
      owner,
      tables: { schema, table, hasHistory: false, hasLock: false },
    },
    history: EMPTY_HISTORY,
    plan: planForward(folder, EMPTY_HISTORY),
  };
}

function failed(clerkOrgId: string, schema: string, error: TenantctlError): ProvisionResult {
  return {
    clerkOrgId,
    schema,
    outcome: 'failed',
    applied: [],
    durationMs: 0,
    error: error.with({ tenant: clerkOrgId }),
  };
}

function toProvisionResult(
  { alreadyActive }: Provisioning,
  { clerkOrgId, schema, names, durationMs, error }: TenantResult,
): ProvisionResult {
  if (error !== undefined) return { ...failed(clerkOrgId, schema, error), durationMs };
  const outcome = alreadyActive.has(clerkOrgId) ? 'already-active' : 'provisioned';
  return { clerkOrgId, schema, outcome, applied: names, durationMs };
}
