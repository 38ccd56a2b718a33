import { followRegistry, type RenamedTenant } from '../state/tenant-ids.ts';
import { ensureState } from './state-schema.ts';
import type { Observer } from '../report/event.ts';
import type { Database } from '../../db/database.ts';

/**
 * What a command that changes tenants begins with: the tenantctl schema is of this version, and what it holds of tenants
 * goes by the names that these have in the registry now.
 * @param version what readStateVersion has read
 */
export async function prepareState(database: Database, version: number, observe: Observer): Promise<void> {
  await ensureState(database, version);
  for (const tenant of await followRegistry(database)) {
    observe({ type: tenant.isAmbiguous ? 'warning' : 'note', message: describe(tenant) });
  }
}

function describe({ clerkOrgId, schema, former, isAmbiguous }: RenamedTenant): string {
  const names = `${former.clerkOrgId} (${former.schema}) is ${clerkOrgId} (${schema}) now`;
  return isAmbiguous
    ? `Perhaps ${names}: both names have changed at once. tenantctl doctor has the statements for either answer.`
    : `${names}.`;
}
