import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import { listed } from '../../wording.ts';
import { schemaMissing } from '../fleet/plan-fleet.ts';
import { tenantState, type StateFolders } from '../fleet/tenant-state.ts';
import { readRelations } from './read-relations.ts';
import { renderTypes } from './render-types.ts';

/**
 * The types of typesOfMigrations, read from the schema of a tenant. Writes nothing.
 * @param name organization id or schema
 * @throws TenantctlError TENANT_UNKNOWN, SCHEMA_MISSING; TENANT_BEHIND if migrations or repeatable scripts are pending
 */
export async function typesOfTenant(
  database: Database,
  name: string,
  options: StateFolders,
): Promise<string> {
  const { tenant, pending, hasOutdatedScripts } = await tenantState(database, name, options);
  if (!tenant.hasSchema) throw schemaMissing(tenant);
  const missing = pending.length > 0 ? listed(pending) : 'repeatable scripts in their present form';
  if (pending.length > 0 || hasOutdatedScripts)
    throw new TenantctlError('TENANT_BEHIND', `${tenant.clerkOrgId} lacks ${missing}.`, {
      tenant: tenant.clerkOrgId,
      hint: 'Name a tenant that is up to date, or run tenantctl migrate tenants first.',
    });
  return renderTypes(await readRelations(database, tenant.schema), tenant.schema);
}
