import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import { verbResult } from '../commands/verb-result.ts';
import { checkCall } from '../options/check-call.ts';
import { checkOptions } from '../options/check-options.ts';
import { readTenants, tenantUnknown } from '../registry/registry.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { forgetTombstones, readTombstones, type Tombstone } from '../state/tombstones.ts';
import { readStateVersion } from '../state/version.ts';
import { onlyResult } from './common/only-result.ts';
import { type RemovalResult, type Removals } from './removal/removal-result.ts';
import {
  planRemoval,
  removeInRun,
  type RemovalOptions,
  type RemovalPlan,
  type ToRemove,
} from './removal/removal-run.ts';

export interface DropOptions extends RemovalOptions {
  /** The folder for the backups that are made first; it is created if it is missing. No backups if absent. */
  readonly backupFolder?: string | undefined;
}

/**
 * Drops tenants: the schema with all that it has, the tenant's role of its own, the row in the registry, and what
 * tenantctl remembers. A tombstone stays until `forgetTenants`. A tenant that was dropped before is left at that.
 * Each is dropped in several transactions under its lock (see removeTenant); applications and other tenants go on, also
 * where foreign keys lead to shared tables. If it fails, the tenant is as it was. If the process is killed, the tenant is
 * SUSPENDED, other commands refuse it (TENANT_UNFINISHED), and dropping it again continues.
 * @param organizationIds or schema names
 * @throws TenantctlError TENANT_UNKNOWN, CONFIRMATION_REQUIRED, FILE_UNUSABLE for the folder, before anything is changed.
 *   One tenant's failure is in its result: TENANT_REFERENCED if objects of others depend on it, TENANT_NOT_ACTIVE,
 *   LOCK_TIMEOUT, why it cannot be backed up
 */
export async function dropTenants(
  database: Database,
  organizationIds: readonly string[],
  given: DropOptions = {},
): Promise<Removals> {
  checkOptions({ organizationIds }, 'organizationIds');
  const options = checkCall(database, given);
  return removeInRun(database, 'drop', organizationIds, () => findToDrop(database, organizationIds), options);
}

/** dropTenants for one organization. @throws TenantctlError if its result is a failure */
export async function dropTenant(
  database: Database,
  organizationId: string,
  options: DropOptions = {},
): Promise<RemovalResult> {
  checkOptions({ organizationId }, 'organizationId');
  return onlyResult(await dropTenants(database, [organizationId], options));
}

/** What dropping tenants would take away; nothing is changed. @throws TenantctlError TENANT_UNKNOWN */
export async function planDrop(
  database: Database,
  organizationIds: readonly string[],
  options: Pick<DropOptions, 'tenantRole'> = {},
): Promise<RemovalPlan> {
  checkCall(database, { ...options, organizationIds }, 'organizationIds');
  await assertRegistry(database);
  return planRemoval(database, options, await findToDrop(database, organizationIds));
}

/** The tenants by organization id or schema; those that were dropped have a result. @throws TenantctlError TENANT_UNKNOWN */
async function findToDrop(database: Database, names: readonly string[]): Promise<ToRemove> {
  const registered = await readTenants(database);
  const byName = new Map(registered.flatMap((tenant) => [[tenant.schema, tenant] as const]));
  for (const tenant of registered) byName.set(tenant.clerkOrgId, tenant);
  const gone = names.filter((name) => !byName.has(name));
  const tombstones =
    gone.length === 0 ? [] : await readTombstones(database, await readStateVersion(database), gone);
  const buried = gone.map((name) =>
    tombstones.find((each) => each.clerkOrgId === name || each.schema === name),
  );
  const unknown = gone.filter((_, at) => buried[at] === undefined);
  if (unknown.length > 0) throw tenantUnknown(unknown);
  return {
    tenants: [...new Set(names.flatMap((name) => byName.get(name) ?? []))],
    results: [...new Set(buried.filter((each) => each !== undefined))].map((each) =>
      verbResult(each, 'already-dropped', { backupFile: each.backupFile ?? undefined }),
    ),
  };
}

/**
 * Deletes what tenantctl remembers of tenants that were dropped: their tombstones and their part of the ledger.
 * Backup files stay.
 * @param organizationIds or schema names
 * @throws TenantctlError TENANT_UNKNOWN if one was not dropped, or is registered; nothing is deleted then
 */
export async function forgetTenants(
  database: Database,
  organizationIds: readonly string[],
): Promise<readonly Tombstone[]> {
  checkCall(database, { organizationIds }, 'organizationIds');
  const tombstones = await readTombstones(database, await readStateVersion(database), organizationIds);
  const known = new Set(tombstones.flatMap(({ clerkOrgId, schema }) => [clerkOrgId, schema]));
  const unknown = organizationIds.filter((name) => !known.has(name));
  if (unknown.length > 0)
    throw new TenantctlError(
      'TENANT_UNKNOWN',
      `No dropped tenant is remembered as ${unknown.map((name) => `"${name}"`).join(', ')}.`,
      {
        tenant: unknown[0],
        hint: 'tenantctl tenant list --dropped shows those that were dropped.',
      },
    );
  await forgetTombstones(database, tombstones);
  return tombstones;
}

/** Tenants that were dropped and are not forgotten, the latest first. */
export async function readDropped(database: Database): Promise<readonly Tombstone[]> {
  checkCall(database, {});
  return readTombstones(database, await readStateVersion(database));
}
