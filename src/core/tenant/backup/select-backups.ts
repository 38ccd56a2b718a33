import type { Database } from '../../../db/database.ts';
import { tenantNotActive } from '../../registry/not-active.ts';
import { findTenants, readTenants, type Tenant } from '../../registry/registry.ts';
import { BACKED_UP, type BackupResult } from './backup-result.ts';

/** Which tenants are backed up. Of those that are named, one that cannot be is a failure. */
export async function selectBackups(database: Database, names: readonly string[] | undefined) {
  const tenants: Pick<Tenant, 'clerkOrgId' | 'schema' | 'status'>[] =
    names === undefined ? await readTenants(database) : await findTenants(database, names);
  const groups = Map.groupBy(tenants, ({ status }) => BACKED_UP.some((word) => word === status));
  const [tasks = [], others = []] = [groups.get(true), groups.get(false)];
  const results = names === undefined ? [] : others.map((tenant) => refused(tenant));
  const left =
    names === undefined ? Map.groupBy(others, ({ status }) => status) : new Map<string, unknown[]>();
  return {
    tasks,
    results,
    notBackedUp: Object.fromEntries([...left].map(([status, { length }]) => [status, length])),
  };
}

function refused(tenant: Pick<Tenant, 'clerkOrgId' | 'schema' | 'status'>): BackupResult {
  const { clerkOrgId, schema, status } = tenant;
  const error = tenantNotActive(tenant, status);
  return { clerkOrgId, schema, outcome: 'failed', bytes: 0, rows: 0, durationMs: 0, error };
}
