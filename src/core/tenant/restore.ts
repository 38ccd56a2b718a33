import type { Readable } from 'node:stream';
import type { Database } from '../../db/database.ts';
import { TenantctlError, toTenantctlError } from '../../errors.ts';
import { shellWord, tenantWord } from '../../wording.ts';
import { confirmed, type Confirm } from '../commands/confirmed.ts';
import { inRun, type CommandRun } from '../commands/in-run.ts';
import { prepareState, readState } from '../install/state-schema.ts';
import { ensureVectorExtension } from '../install/vector-extension.ts';
import { checkCall } from '../options/check-call.ts';
import { checkOptions } from '../options/check-options.ts';
import type { Plan } from '../plan/plan.ts';
import { registerTenants, unregisterTenants } from '../registry/register-tenants.ts';
import { assertOrganizationId, newSchemaName } from '../registry/schema-name.ts';
import { ONE_LANE } from '../run/lanes.ts';
import { readLosses, type Loss } from './common/losses.ts';
import {
  planAfter,
  readRestoreProject,
  type RestoreProject,
  type RestoreProjectOptions,
} from './restore/restore-project.ts';
import { restoreEnding, type RestoreResult } from './restore/restore-result.ts';
import { openFile, openPath, openStream, openTenant, type RestoreSource } from './restore/restore-source.ts';
import { decideTarget, readTargetFacts, type RestoreTarget } from './restore/restore-target.ts';
import { serveRestores } from './restore/serve-restores.ts';

export interface RestoreOptions extends Omit<RestoreProjectOptions, 'concurrency'> {
  /** The organization to restore it as; its own if absent. */
  readonly as?: string | undefined;
  /** Puts it in the place of the tenant, if there is one. */
  readonly replace?: boolean | undefined;
  /** Called before a tenant is replaced, with what goes; nothing is changed if it returns false. */
  readonly confirm?: Confirm<Loss> | undefined;
}

type RunResult = RestoreResult & { readonly run?: number };

/**
 * Restores a tenant from a backup: builds its schema by the migrations that it had, loads its rows, applies the
 * migrations that have come since, and makes it ACTIVE. A file is verified in full before anything is done. Nothing is
 * kept of a restoration that fails; one that was killed is begun anew by the next.
 * @param backup the path of a file, or a stream
 * @throws TenantctlError TENANT_EXISTS, CONFIRMATION_REQUIRED, TENANT_UNFINISHED, SCHEMA_NAME_TAKEN, SCHEMA_UNREGISTERED, MIGRATIONS_DIFFER,
 *   HISTORY_NEWER, SHAPE_DIFFERS, ROWS_DIFFER, LOCK_TIMEOUT, what readBackup throws, and as provisionTenant
 */
export function restoreTenant(
  database: Database,
  backup: string | Readable,
  options: RestoreOptions,
): Promise<RunResult> {
  const name = typeof backup === 'string' ? shellWord(backup) : '-';
  return restore(database, options, `tenantctl tenant restore ${name}`, () =>
    typeof backup === 'string'
      ? openPath(backup, options.signal)
      : openStream(backup, { signal: options.signal }),
  );
}

/**
 * restoreTenant from another database, such as a copy of the server at an earlier time. Nothing is written there: the
 * tenant is read in one snapshot.
 * @param organizationId or schema name, in the other database
 * @throws TenantctlError as restoreTenant; of the other database TENANT_UNKNOWN, SCHEMA_MISSING, LOCK_TIMEOUT
 */
export async function restoreTenantFrom(
  database: Database,
  source: Database,
  organizationId: string,
  options: RestoreOptions,
): Promise<RunResult> {
  checkOptions({ organizationId }, 'organizationId');
  const command = `tenantctl tenant restore ${tenantWord(organizationId)} --from <url>`;
  return restore(database, options, command, () => openTenant(source, organizationId));
}

/** What restoring a backup would do. */
export interface RestorePlan {
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly manifest: RestoreSource['manifest'];
  /** The migrations and scripts that would be applied after the rows are loaded. */
  readonly pending: readonly string[];
  /** It would take the place of a tenant. */
  readonly isReplaced: boolean;
}

/** Verifies a backup in full, and says what restoring it would do; nothing is changed. @throws as restoreTenant */
export async function planRestore(
  database: Database,
  backup: string,
  given: RestoreOptions,
): Promise<RestorePlan> {
  const options = checkCall(database, given, 'folder');
  const source = await openFile(backup);
  const { target, plan } = await prepare(database, options, source);
  const { clerkOrgId, schema, isReplaced } = target;
  const pending = plan.steps.map(({ name }) => name);
  return { clerkOrgId, schema, manifest: source.manifest, pending, isReplaced };
}

async function restore(
  database: Database,
  given: RestoreOptions,
  command: string,
  open: () => Promise<RestoreSource>,
): Promise<RunResult> {
  const { as, replace } = given;
  const options = { ...given, recorded: { as, replace } };
  const flags = `${as === undefined ? '' : ` --as ${tenantWord(as)}`}${replace === true ? ' --replace' : ''}`;
  const again = `${command}${flags}`;
  const { result, run } = await inRun(
    database,
    'tenant restore',
    options,
    ({ result }: { readonly result: RestoreResult }) => restoreEnding([result]),
    async (commandRun) => {
      const source = await open();
      try {
        return { result: await restoreInRun(commandRun, source, again) };
      } finally {
        await source.close();
      }
    },
  );
  const { error, outcome } = result;
  if (error !== undefined) throw run === undefined ? error : error.with({ run });
  if (outcome === 'skipped')
    throw new TenantctlError('INTERRUPTED', 'The run was stopped before the tenant was restored.');
  return { ...result, ...(run !== undefined && { run }) };
}

interface Prepared extends RestoreProject {
  readonly target: RestoreTarget;
  /** What is pending after the restoration. */
  readonly plan: Plan;
}

/** Reads the facts, and decides; nothing is changed. */
async function prepare(
  database: Database,
  options: RestoreOptions,
  source: RestoreSource,
): Promise<Prepared> {
  const { manifest } = source;
  const clerkOrgId = options.as ?? manifest.clerkOrgId;
  assertOrganizationId(clerkOrgId);
  // A tenant that was renamed keeps the name of its schema.
  const wanted = options.as === undefined ? manifest.schema : newSchemaName(database.names, clerkOrgId);
  try {
    const project = await readRestoreProject(database, options);
    const plan = planAfter(project, source, options);
    const facts = await readTargetFacts(database, clerkOrgId, wanted);
    return { ...project, plan, target: decideTarget(clerkOrgId, wanted, facts, options.replace === true) };
  } catch (error) {
    throw toTenantctlError(error).with({ tenant: clerkOrgId });
  }
}

async function confirmReplacing(
  database: Database,
  { clerkOrgId, schema, status }: RestoreTarget,
  confirm: RestoreOptions['confirm'],
): Promise<void> {
  // Its role stays.
  const [loss] = await readLosses(database, [{ clerkOrgId, schema, status: status ?? '' }], () => undefined);
  if (loss !== undefined) await confirmed(confirm, loss);
}

async function restoreInRun(
  { options, context, run, observe }: CommandRun<RestoreOptions>,
  source: RestoreSource,
  command: string,
): Promise<RestoreResult> {
  const { database } = context;
  const { target, registry, folder, plan } = await prepare(database, options, source);
  if (target.isReplaced) await confirmReplacing(database, target, options.confirm);
  await prepareState(database, await readState(database), observe);
  const { vectorExtension = 'auto', allowDrift = false, allowOutOfOrder } = options;
  await ensureVectorExtension(database, vectorExtension, observe);
  await run.begin(plan.steps.map(({ name }) => name));
  const [registration] = target.isReplaced ? [] : await registerTenants(database, registry, [target]);
  if (registration?.error !== undefined) throw registration.error;
  // A row that the application has inserted.
  if (registration?.isKnown === false) await prepareState(database, await readState(database), observe);
  const forward = { allowOutOfOrder };
  observe({ type: 'selected', total: 1, due: 1 });
  const [result] = await serveRestores(
    { context, registry, folder, allowDrift, observe, verb: 'restore', forward },
    [{ tenant: target, source, former: target.former, isReplaced: target.isReplaced, command }],
    ONE_LANE,
  );
  if (registration?.isNew === true) await unregisterTenants(database, [target.clerkOrgId]);
  if (result === undefined) throw new Error('there is one result for each tenant');
  return result;
}
