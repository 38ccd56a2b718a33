import { TenantctlError, toTenantctlError } from '../../errors.ts';
import { recordFiles } from '../state/checksums.ts';
import type { MigrationOutcome, MigrationWork } from '../strategy/migration-work.ts';
import { serveMigration } from '../strategy/serve-migration.ts';
import { createLanes, ONE_LANE, type Lanes } from '../run/lanes.ts';
import {
  closingOf,
  createSchemaStatements,
  makeTenant,
  refusedStatus,
  type Provisioning,
} from './make-tenant.ts';
import type { MigrationTask } from '../fleet/plan-fleet.ts';
import { EMPTY_HISTORY } from '../target/history.ts';
import { planForward } from '../plan/plan.ts';
import { assertSessions } from '../apply/outside-transaction.ts';
import { readMigrationFolder, type MigrationFolder } from '../files/source.ts';
import {
  refusedRegistration,
  registerTenants,
  unregisterTenants,
  type Registration,
} from '../registry/register-tenants.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { inRun, type CommandRun, type FleetRunOptions } from '../commands/in-run.ts';
import type { RunEnding } from '../ledger/recorded-run.ts';
import { newSchemaName } from '../registry/schema-name.ts';
import { prepareRoles, type PreparedRole } from '../roles/prepare-roles.ts';
import { ensureState, prepareState, STATE_VERSION } from '../install/state-schema.ts';
import { ensureVectorExtension, type VectorExtensionMode } from '../install/vector-extension.ts';
import { refusePendingMaster } from '../plan/plan-folder.ts';
import { TRANSITIONS, UNFINISHED } from '../registry/status.ts';
import { readStateVersion } from '../state/version.ts';
import type { Database } from '../../db/database.ts';
import { checkOptions } from '../options/check-options.ts';

/** The folder may be empty. */
export interface ProvisionOptions extends FleetRunOptions {
  /** The folder of the master migrations: pending ones are an error. Not checked if absent. */
  readonly masterFolder?: string | undefined;
  readonly vectorExtension?: VectorExtensionMode | undefined;
}

export interface ProvisionResult {
  /** The run's number in the ledger; absent if it could not be recorded. */
  readonly run?: number;
  readonly clerkOrgId: string;
  /** Empty if the organization id was refused. */
  readonly schema: string;
  readonly outcome: 'provisioned' | 'already-active' | 'failed';
  readonly applied: readonly string[];
  readonly durationMs: number;
  readonly error?: TenantctlError | undefined;
}

const COMMAND = 'tenant provision';

/** Organizations per registration. */
const REGISTERED_AT_ONCE = 1_000;

/**
 * Registers organizations as PROVISIONING; then, in one transaction each and several in parallel, creates the
 * schema, runs its migrations and sets the status ACTIVE. A failed tenant has the status FAILED with a
 * reason, and no schema; provisioning again completes it. An ACTIVE tenant is not changed.
 * @returns a result for each organization, except those not started because the run was stopped
 * @throws TenantctlError if the run cannot start; one organization's failure is in its result
 */
export async function provisionTenants(
  database: Database,
  organizationIds: readonly string[],
  options: ProvisionOptions,
): Promise<ProvisionResult[]> {
  checkOptions({ organizationIds }, 'organizationIds');
  const ids = [...new Set(organizationIds)];
  const { run, results } = await inRun(
    database,
    COMMAND,
    options,
    ({ results }: { results: readonly ProvisionResult[] }) => endingOf(results, ids.length),
    async (commandRun) => ({ results: await provisionInRun(database, ids, commandRun) }),
  );
  return results.map((result) => (run === undefined ? result : { ...result, run }));
}

/** @param wanted the number of tenants to make */
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
  ids: readonly string[],
  { options, context, run, observe }: CommandRun<ProvisionOptions>,
): Promise<ProvisionResult[]> {
  const registry = await assertRegistry(database);
  const folder = await readMigrationFolder(options.folder);
  if (options.masterFolder !== undefined) await refusePendingMaster(database, options.masterFolder, {});
  await ensureState(database, await readStateVersion(database));
  await assertSessions(context, planForward(folder, EMPTY_HISTORY).steps, 'up');
  await ensureVectorExtension(database, options.vectorExtension ?? 'auto', observe);

  const lanes = ids.length > 1 ? await createLanes(database, options.concurrency) : ONE_LANE;
  const compile = options.compile !== false && database.acceptsScripts;
  const chunk = { context, folder, registry, observe, run, lanes, compile };
  const results: ProvisionResult[] = [];
  for (let at = 0; at < ids.length && context.signal?.aborted !== true; at += REGISTERED_AT_ONCE)
    results.push(...(await provisionChunk(chunk, ids.slice(at, at + REGISTERED_AT_ONCE))));
  return results;
}

/** provisionTenants for one organization. @throws TenantctlError if its result is a failure */
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

interface ChunkSetting extends Omit<Provisioning, 'roles'>, Pick<CommandRun<ProvisionOptions>, 'run'> {
  readonly lanes: Lanes;
  readonly compile: boolean;
}

async function provisionChunk(setting: ChunkSetting, ids: readonly string[]): Promise<ProvisionResult[]> {
  const { context, folder, observe, run } = setting;
  const { database } = context;
  const registrations = await register(setting, ids);
  if (registrations.some(({ isKnown }) => !isKnown)) await prepareState(database, STATE_VERSION, observe);
  const newIds = new Set(registrations.filter(({ isNew }) => isNew).map(({ clerkOrgId }) => clerkOrgId));
  const unregister = (tenants: readonly { readonly clerkOrgId: string }[]) => {
    const begun = tenants.map(({ clerkOrgId }) => clerkOrgId);
    return unregisterTenants(
      database,
      begun.filter((id) => newIds.has(id)),
    );
  };
  const prepared = await prepareRoles(context, registrations);
  const { tasks, results, roles } = triage(folder, registrations, prepared);
  await unregister([...results.values()]);
  if (tasks.length > 1) observe({ type: 'selected', total: ids.length, due: tasks.length });
  else
    for (const { tenant } of tasks) observe({ type: 'phase', message: `Provisioning ${tenant.clerkOrgId}` });

  if (tasks.length > 0) {
    await run.begin(folder.files.map(({ name }) => name)).catch(async (error: unknown) => {
      await unregister(tasks.map(({ tenant }) => tenant));
      throw error;
    });
  }
  const { outcomes } = await serveMigration(context, tasks, provisioningWork({ ...setting, roles }));
  await unregister(outcomes.filter(({ kind }) => kind === 'skipped').map(({ task }) => task.tenant));
  const provisioned = outcomes.flatMap((outcome) => toProvisionResult(outcome) ?? []);
  const applied = new Set(provisioned.flatMap((result) => result.applied));
  await recordFiles(
    database,
    'tenants',
    folder.files.filter((file) => applied.has(file.name)),
  );
  for (const result of provisioned) results.set(result.clerkOrgId, result);
  return ids.flatMap((id) => results.get(id) ?? []);
}

function provisioningWork(setting: ChunkSetting & Pick<Provisioning, 'roles'>): MigrationWork {
  const { folder, observe, lanes, compile } = setting;
  return {
    command: COMMAND,
    direction: 'up',
    statuses: UNFINISHED,
    decide: (_task, history) => planForward(folder, history),
    apply: (task, options, earlier) => makeTenant(setting, task, options, earlier),
    opening: ({ tenant }) => createSchemaStatements(setting, tenant.schema),
    closing: ({ tenant }) => closingOf(setting, tenant.schema),
    isDone: (_task, { status }) => status === 'ACTIVE',
    lanes,
    compile,
    observe,
  };
}

/** Separates organizations to provision from those that are refused or already ACTIVE. */
function triage(
  folder: MigrationFolder,
  registrations: readonly Registration[],
  prepared: Awaited<ReturnType<typeof prepareRoles>>,
) {
  const results = new Map<string, ProvisionResult>();
  const tasks: MigrationTask[] = [];
  const roles = new Map<string, PreparedRole>();
  const plan = planForward(folder, EMPTY_HISTORY);
  for (const registration of registrations) {
    const { clerkOrgId, schema, status } = registration;
    const role = prepared.get(schema);
    const refused = role !== undefined && 'error' in role ? role.error : undefined;
    const error = registration.error ?? refusedStatus(clerkOrgId, status) ?? refused;
    if (error !== undefined) results.set(clerkOrgId, resultOf(registration, 'failed', { error }));
    else if (status === 'ACTIVE') results.set(clerkOrgId, resultOf(registration, 'already-active'));
    else {
      if (role !== undefined && 'statements' in role) roles.set(schema, role);
      // Leftovers of an earlier attempt are found under the tenant's lock.
      const tenant = { ...NOTHING_MADE, clerkOrgId, schema, owner: role?.name ?? null };
      tasks.push({ tenant, history: EMPTY_HISTORY, plan });
    }
  }
  return { results, tasks, roles };
}

/** Everything about a new tenant except its names and owner. */
const NOTHING_MADE = {
  status: TRANSITIONS.provision.during,
  createdAt: null,
  updatedAt: null,
  hasSchema: false,
  hasHistory: false,
  hasLock: false,
};

async function register(
  { context: { database }, registry }: Pick<Provisioning, 'context' | 'registry'>,
  ids: readonly string[],
): Promise<Registration[]> {
  const refused: Registration[] = [];
  const wanted: { clerkOrgId: string; schema: string }[] = [];
  for (const clerkOrgId of ids) {
    try {
      wanted.push({ clerkOrgId, schema: newSchemaName(database.names, clerkOrgId) });
    } catch (error) {
      refused.push(refusedRegistration(clerkOrgId, toTenantctlError(error)));
    }
  }
  return wanted.length === 0 ? refused : [...refused, ...(await registerTenants(database, registry, wanted))];
}

function resultOf(
  { clerkOrgId, schema }: Pick<ProvisionResult, 'clerkOrgId' | 'schema'>,
  outcome: ProvisionResult['outcome'],
  { error, ...more }: Partial<ProvisionResult> = {},
): ProvisionResult {
  const failure = error !== undefined && { error: error.with({ tenant: clerkOrgId }) };
  return { clerkOrgId, schema, outcome, applied: [], durationMs: 0, ...more, ...failure };
}

/** Undefined for an organization that was not started. */
function toProvisionResult(outcome: MigrationOutcome): ProvisionResult | undefined {
  const { task, durationMs } = outcome;
  switch (outcome.kind) {
    case 'skipped':
      return undefined;
    case 'failed':
      return resultOf(task.tenant, 'failed', { error: outcome.error, durationMs });
    case 'by-peer':
      return resultOf(task.tenant, 'already-active', { durationMs });
    case 'done':
      return resultOf(task.tenant, 'provisioned', { applied: outcome.done.names, durationMs });
  }
}
