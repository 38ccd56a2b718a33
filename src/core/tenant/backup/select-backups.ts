import type { Database } from '../../../db/database.ts';
import { verbResult } from '../../commands/verb-result.ts';
import { tenantNotActive } from '../../registry/not-active.ts';
import { findTenants, readTenants, type FoundTenant } from '../../registry/registry.ts';
import { BACKED_UP, type BackupResult } from './backup-result.ts';

/** Which tenants are backed up. Of those that are named, one that cannot be is a failure. */
export async function selectBackups(database: Database, names: readonly string[] | undefined) {
  const tenants: FoundTenant[] =
    names === undefined ? await readTenants(database) : await findTenants(database, names);
  const ofStatus = Map.groupBy(tenants, ({ status }) => BACKED_UP.some((word) => word === status));
  const [wanted = [], others = []] = [ofStatus.get(true), ofStatus.get(false)];
  const tasks = wanted.filter(({ unfinished }) => unfinished === undefined);
  const unfinished = wanted.filter((tenant) => tenant.unfinished !== undefined);
  const results = [...unfinished, ...(names === undefined ? [] : others)].map((tenant) => refused(tenant));
  const left =
    names === undefined ? Map.groupBy(others, ({ status }) => status) : new Map<string, unknown[]>();
  return {
    tasks,
    results,
    notBackedUp: Object.fromEntries([...left].map(([status, { length }]) => [status, length])),
  };
}

function refused(tenant: FoundTenant): BackupResult {
  const error = tenantNotActive(tenant, tenant.status);
  return verbResult(tenant, 'failed', { bytes: 0, rows: 0, error });
}
