import { TenantctlError } from '../../errors.ts';
import { loadAhead } from '../run/load-ahead.ts';
import { recordLoaded } from '../run/run-context.ts';
import { stillDue, type MigrationWork } from '../strategy/migration-work.ts';
import { isAsPlanned } from '../strategy/peers.ts';
import { serveInPhases } from '../strategy/serve-in-phases.ts';
import { createLanes, type Lanes } from '../run/lanes.ts';
import { closingOf, createSchemaStatements, makeTenant, type Provisioning } from './provision/make-tenant.ts';
import { planNew } from '../plan/repeatable.ts';
import { seedSteps } from '../plan/plan-seeds.ts';
import { assertSessions } from '../apply/outside-transaction.ts';
import { withScriptsOf } from '../files/repeatable.ts';
import { readMigrationFolder } from '../files/source.ts';
import { hasUnfinished, unregisterTenants } from '../registry/register-tenants.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { loadSeeds } from '../commands/seed-tenants.ts';
import { inRun, type CommandRun, type FleetRunOptions, type HooksOption } from '../commands/in-run.ts';
import { prepareRoles } from '../roles/prepare-roles.ts';
import { ensureState, prepareState, readState } from '../install/state-schema.ts';
import {
  ensureVectorExtension,
  readVectorExtension,
  type VectorExtensionMode,
} from '../install/vector-extension.ts';
import { refusePendingMaster } from '../plan/plan-folder.ts';
import { withoutRecording } from '../recordings/kept-recordings.ts';
import { refuseSkeletons } from '../plan/refuse-skeletons.ts';
import { UNFINISHED } from '../registry/transitions.ts';
import type { Database } from '../../db/database.ts';
import { checkOptions } from '../options/check-options.ts';
import { type ProvisionResult, endingOf, toProvisionResult } from './provision/provision-result.ts';
import { compareWithFleet } from './provision/compare-with-fleet.ts';
import { triage, register } from './provision/triage.ts';

/** The folder may be empty. */
export interface ProvisionOptions extends FleetRunOptions, HooksOption {
  /** The folder of the master migrations: pending ones are an error. Not checked if absent. */
  readonly masterFolder?: string | undefined;
  /** The folder of the seeds that new tenants get; none if absent. */
  readonly seedFolder?: string | undefined;
  readonly vectorExtension?: VectorExtensionMode | undefined;
}

const COMMAND = 'tenant provision';

/** After this, a process that provisions tenant by tenant notices that pgvector was installed on the server. */
const VECTOR_ABSENT_MS = 60_000;

/** Organizations per registration. */
const REGISTERED_AT_ONCE = 1_000;

/**
 * Registers organizations as PROVISIONING; then, in one transaction each and several in parallel, creates the
 * schema, runs its migrations and seeds and sets the status ACTIVE; in phases if a migration runs outside a transaction.
 * A failed tenant has the status FAILED with a reason, and no schema; provisioning again completes it. An ACTIVE tenant
 * is not changed; without its schema it has failed (SCHEMA_MISSING). Where other tenants have newer migrations, the
 * result says so.
 * @returns a result for each organization, except those not started because the run was stopped
 * @throws TenantctlError if the run cannot start; one organization's failure is in its result
 */
export async function provisionTenants(
  database: Database,
  organizationIds: readonly string[],
  options: ProvisionOptions,
): Promise<ProvisionResult[]> {
  checkOptions({ organizationIds }, 'organizationIds');
  const { seedFolder } = checkOptions(options, 'folder');
  const ids = [...new Set(organizationIds)];
  const { run, results } = await inRun(
    database,
    COMMAND,
    { ...options, ...(seedFolder !== undefined && { recorded: { seed: true } }) },
    ({ results }: { results: readonly ProvisionResult[] }) => endingOf(results, ids.length),
    async (commandRun) => ({ results: await provisionInRun(database, ids, commandRun) }),
  );
  return results.map((result) => (run === undefined ? result : { ...result, run }));
}

async function provisionInRun(
  database: Database,
  ids: readonly string[],
  { options, context, run, observe }: CommandRun<ProvisionOptions>,
): Promise<ProvisionResult[]> {
  const { masterFolder, vectorExtension = 'auto' } = options;
  const preparing = run.prepare();
  const reading = readMigrationFolder(options.folder).then((migrations) =>
    withScriptsOf(migrations, options.repeatableFolder),
  );
  // Its error comes after the registry's.
  await reading.catch(() => {});
  const seeds = options.seedFolder === undefined ? [] : await loadSeeds(context, options.seedFolder);
  const [registry, folder, , state, vector] = await database.together((one) => [
    assertRegistry(one),
    reading,
    masterFolder && refusePendingMaster(one, masterFolder, { allowNewerHistory: true }, observe),
    readState(one),
    vectorExtension === 'off' ? undefined : readVectorExtension(one, VECTOR_ABSENT_MS),
    reading.then(({ files, scripts = [] }) => context.kept.lookUp([...files, ...scripts], 'up', one)),
  ]);
  await ensureState(database, state, observe);
  await refuseSkeletons(database, 'tenants', withoutRecording(context.kept, folder.files));
  await assertSessions(context, planNew(folder).steps, 'up');
  await ensureVectorExtension(database, vectorExtension, observe, vector);

  await preparing;
  const lanes = await createLanes(database, options.concurrency, observe, ids.length);
  // No tenant is sent what the seeds of another one have sent.
  const compile = seeds.length > 0 ? false : options.compile;
  const chunk = { context, folder, registry, seeds, observe, run, lanes, compile };
  const results: ProvisionResult[] = [];
  for (let at = 0; at < ids.length && context.signal?.aborted !== true; at += REGISTERED_AT_ONCE)
    results.push(...(await provisionChunk(chunk, ids.slice(at, at + REGISTERED_AT_ONCE))));
  const applied = results.flatMap((result) => result.applied);
  const [compared] = await database.together((one) => [
    compareWithFleet(one, folder, results, observe),
    recordLoaded({ ...context, database: one }, 'tenants', folder, applied),
  ]);
  return compared;
}

/** provisionTenants for one organization. @throws TenantctlError if its result is a failure */
export async function provisionTenant(
  database: Database,
  organizationId: string,
  options: ProvisionOptions,
): Promise<ProvisionResult> {
  checkOptions({ organizationId }, 'organizationId');
  const [result] = await provisionTenants(database, [organizationId], options);
  if (result === undefined)
    throw new TenantctlError('INTERRUPTED', 'Provisioning was interrupted before it began.');
  if (result.error !== undefined) throw result.error;
  return result;
}

interface ChunkSetting extends Omit<Provisioning, 'roles'>, Pick<CommandRun<ProvisionOptions>, 'run'> {
  readonly lanes: Lanes;
  readonly compile: boolean | undefined;
}

async function provisionChunk(setting: ChunkSetting, ids: readonly string[]): Promise<ProvisionResult[]> {
  const { context, folder, seeds, observe, run } = setting;
  const { database } = context;
  const planned = [...planNew(folder).steps, ...seedSteps(seeds)].map(({ name }) => name);
  const registrations = await register(setting, ids, (one) =>
    run.beginIf(hasUnfinished(database.names, ids), planned, one),
  );
  if (registrations.some(({ isKnown }) => !isKnown))
    await prepareState(database, await readState(database), observe);
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
    void loadAhead(context, folder.files);
    await run.begin(planned).catch(async (error: unknown) => {
      await unregister(tasks.map(({ tenant }) => tenant));
      throw error;
    });
  }
  const { outcomes } = await serveInPhases(context, tasks, provisioningWork({ ...setting, roles }));
  await unregister(outcomes.filter(({ kind }) => kind === 'skipped').map(({ task }) => task.tenant));
  const provisioned = outcomes.flatMap((outcome) => toProvisionResult(outcome, seeds) ?? []);
  for (const result of provisioned) results.set(result.clerkOrgId, result);
  return ids.flatMap((id) => results.get(id) ?? []);
}

function provisioningWork(setting: ChunkSetting & Pick<Provisioning, 'roles'>): MigrationWork {
  const { folder, observe, lanes, compile } = setting;
  const isPartDone = isAsPlanned('up');
  return {
    command: COMMAND,
    direction: 'up',
    hooks: 'Provision',
    statuses: UNFINISHED,
    decide: (task, history, _done, scripts) => stillDue(folder, task, history, scripts),
    apply: (task, options, earlier) => makeTenant(setting, task, options, earlier),
    opening: ({ tenant }) => createSchemaStatements(setting, tenant.schema),
    closing: ({ tenant }) => closingOf(setting, tenant.schema),
    isDone: (task, now) => now.status === 'ACTIVE' || (task.part?.isLast === false && isPartDone(task, now)),
    lanes,
    compile,
    observe,
  };
}
