import type { Database } from '../../db/database.ts';
import { verbResult } from '../commands/verb-result.ts';
import { checkCall } from '../options/check-call.ts';
import { checkOptions } from '../options/check-options.ts';
import { tenantNotActive } from '../registry/not-active.ts';
import { readTenants, selectTenants } from '../registry/registry.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { TRANSITIONS } from '../registry/transitions.ts';
import { onlyResult } from './common/only-result.ts';
import { type RemovalResult, type Removals, type RemovedTenant } from './removal/removal-result.ts';
import {
  planRemoval,
  removeInRun,
  type RemovalOptions,
  type RemovalPlan,
  type ToRemove,
} from './removal/removal-run.ts';
import { tenantUnfinished } from '../state/unfinished-verb.ts';

export interface ArchiveOptions extends RemovalOptions {
  /** The folder for the backups; it is created if it is missing. */
  readonly backupFolder: string;
}

/**
 * Archives ACTIVE or SUSPENDED tenants: each is backed up, the file is verified, and the schema goes as when a tenant is
 * dropped. The row stays, with the status ARCHIVED, and so does what tenantctl remembers: `unarchiveTenants` brings the
 * tenant back. An ARCHIVED tenant is left as it is.
 * @param organizationIds or schema names
 * @throws TenantctlError as dropTenants
 */
export async function archiveTenants(
  database: Database,
  organizationIds: readonly string[],
  given: ArchiveOptions,
): Promise<Removals> {
  checkOptions({ organizationIds }, 'organizationIds');
  const options = checkCall(database, given, 'backupFolder');
  const find = () => findToArchive(database, organizationIds);
  return removeInRun(database, 'archive', organizationIds, find, options);
}

/** archiveTenants for one organization. @throws TenantctlError if its result is a failure */
export async function archiveTenant(
  database: Database,
  organizationId: string,
  options: ArchiveOptions,
): Promise<RemovalResult> {
  checkOptions({ organizationId }, 'organizationId');
  return onlyResult(await archiveTenants(database, [organizationId], options));
}

/** What archiving tenants would take away; nothing is changed. @throws TenantctlError TENANT_UNKNOWN */
export async function planArchive(
  database: Database,
  organizationIds: readonly string[],
): Promise<RemovalPlan> {
  checkCall(database, { organizationIds }, 'organizationIds');
  await assertRegistry(database);
  return planRemoval(database, {}, await findToArchive(database, organizationIds));
}

async function findToArchive(database: Database, names: readonly string[]): Promise<ToRemove> {
  const { from, to } = TRANSITIONS.archive;
  const tenants: RemovedTenant[] = [];
  const results: RemovalResult[] = [];
  for (const tenant of selectTenants(await readTenants(database), names)) {
    const { status, unfinished } = tenant;
    if (unfinished !== undefined && unfinished.verb !== 'archive')
      results.push(verbResult(tenant, 'failed', { error: tenantUnfinished(unfinished) }));
    else if (from.some((word) => word === status)) tenants.push(tenant);
    else if (status === to) results.push(verbResult(tenant, 'already-archived', {}));
    else results.push(verbResult(tenant, 'failed', { error: tenantNotActive(tenant, status) }));
  }
  return { tenants, results };
}
