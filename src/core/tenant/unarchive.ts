import type { Database } from '../../db/database.ts';
import { TenantctlError, toTenantctlError } from '../../errors.ts';
import { shellWord } from '../../wording.ts';
import { inRun, type CommandRun } from '../commands/in-run.ts';
import type { VerbResults } from '../commands/verb-result.ts';
import { prepareState, readState } from '../install/state-schema.ts';
import { ensureVectorExtension } from '../install/vector-extension.ts';
import { checkCall } from '../options/check-call.ts';
import { checkOptions } from '../options/check-options.ts';
import { tenantCommand, tenantNotActive } from '../registry/not-active.ts';
import { findTenants } from '../registry/registry.ts';
import { createLanes } from '../run/lanes.ts';
import { tenantUnfinished } from '../state/unfinished-verb.ts';
import type { RestorePlan } from './restore.ts';
import {
  planAfter,
  readRestoreProject,
  type RestoreProject,
  type RestoreProjectOptions,
} from './restore/restore-project.ts';
import { restoreEnding, resultOfUntouched, type RestoreResult } from './restore/restore-result.ts';
import { readTargetFacts } from './restore/restore-target.ts';
import { serveRestores, type RestoreOrder } from './restore/serve-restores.ts';
import { type ArchivedTenant, openArchivedBackup } from './restore/open-archived-backup.ts';

export interface UnarchiveOptions extends RestoreProjectOptions {
  /** The file of the backup, if it was moved; for one organization. */
  readonly file?: string | undefined;
}

export type Unarchived = Omit<VerbResults<RestoreResult>, 'durationMs'>;

/**
 * Brings ARCHIVED tenants back from the backup that `tenant archive` wrote, as `restoreTenant` does: under the same
 * organization id and schema name, with the seeds and scripts that they had. An ACTIVE tenant is left as it is. A
 * tenant that fails stays ARCHIVED.
 * @param organizationIds or schema names
 * @throws TenantctlError USAGE for `file` with several organizations; TENANT_UNKNOWN, before anything is changed. One
 *   tenant's failure is in its result: what restoreTenant throws, BACKUP_DIFFERS, FILE_UNUSABLE
 */
export async function unarchiveTenants(
  database: Database,
  organizationIds: readonly string[],
  options: UnarchiveOptions,
): Promise<Unarchived> {
  checkOptions({ organizationIds }, 'organizationIds');
  const ids = [...new Set(organizationIds)];
  if (options.file !== undefined && ids.length !== 1)
    throw new TenantctlError('USAGE', 'A file is the backup of one tenant: name one organization.');
  const asked = { ...options, recorded: { tenants: ids } };
  return inRun(
    database,
    'tenant unarchive',
    asked,
    ({ tenants }: Unarchived) => restoreEnding(tenants),
    (commandRun) => unarchiveInRun(commandRun, ids),
  );
}

/**
 * Verifies the backups of tenants in full, and says what bringing them back would do; nothing is changed.
 * @throws TenantctlError as unarchiveTenants
 */
export async function planUnarchive(
  database: Database,
  organizationIds: readonly string[],
  given: UnarchiveOptions,
): Promise<{ readonly plans: readonly RestorePlan[]; readonly results: readonly RestoreResult[] }> {
  const options = checkCall(database, given, 'folder');
  const project = await readRestoreProject(database, options);
  const { orders, results } = await prepareOrders(database, project, organizationIds, options);
  const plans = orders.map(({ tenant, source }) => {
    const pending = planAfter(project, source, options).steps.map(({ name }) => name);
    return { ...tenant, manifest: source.manifest, pending, isReplaced: false };
  });
  return { plans, results };
}

async function unarchiveInRun(
  { options, context, run, observe }: CommandRun<UnarchiveOptions>,
  ids: readonly string[],
): Promise<Unarchived> {
  const { database } = context;
  const project = await readRestoreProject(database, options);
  const { orders, results, pending } = await prepareOrders(database, project, ids, options);
  observe({ type: 'selected', total: ids.length, due: orders.length });
  if (orders.length > 0) {
    await prepareState(database, await readState(database), observe);
    const { vectorExtension = 'auto', allowDrift = false, allowOutOfOrder } = options;
    await ensureVectorExtension(database, vectorExtension, observe);
    await run.begin(pending);
    const lanes = await createLanes(database, options.concurrency, observe, orders.length);
    const forward = { allowOutOfOrder };
    const work = { context, ...project, allowDrift, observe, verb: 'unarchive', forward } as const;
    results.push(...(await serveRestores(work, orders, lanes)));
  }
  return { tenants: results, interrupted: results.some(({ outcome }) => outcome === 'skipped') };
}

/** Finds and verifies the backup of each tenant. */
async function prepareOrders(
  database: Database,
  project: RestoreProject,
  ids: readonly string[],
  options: UnarchiveOptions,
) {
  const orders: RestoreOrder[] = [];
  const results: RestoreResult[] = [];
  const pending = new Set<string>();
  for (const tenant of await findTenants(database, ids)) {
    if (tenant.status === 'ACTIVE') {
      results.push(resultOfUntouched(tenant, 'already-active'));
      continue;
    }
    try {
      await assertArchived(database, tenant);
      const source = await openArchivedBackup(database, tenant, options.file);
      for (const { name } of planAfter(project, source, options).steps) pending.add(name);
      const file = options.file === undefined ? '' : ` --file ${shellWord(options.file)}`;
      const command = `${tenantCommand('unarchive', [tenant.clerkOrgId])}${file}`;
      orders.push({ tenant, source, former: 'ARCHIVED', command });
    } catch (error) {
      results.push(resultOfUntouched(tenant, 'failed', toTenantctlError(error)));
    }
  }
  return { orders, results, pending: [...pending] };
}

/** A tenant that is being unarchived is PROVISIONING. @throws TenantctlError TENANT_NOT_ACTIVE, TENANT_UNFINISHED */
async function assertArchived(database: Database, tenant: ArchivedTenant): Promise<void> {
  const { intent } = await readTargetFacts(database, tenant.clerkOrgId, tenant.schema);
  if (intent !== null && intent.verb !== 'unarchive') throw tenantUnfinished(intent);
  if (intent === null && tenant.status !== 'ARCHIVED') throw tenantNotActive(tenant, tenant.status);
}
