import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import { listed } from '../../wording.ts';
import { schemaMissing } from '../fleet/plan-fleet.ts';
import { tenantState } from '../fleet/tenant-state.ts';
import { readRelations } from './read-relations.ts';
import { renderTypes } from './render-types.ts';

/**
 * The types of typesOfMigrations, read from the schema of a tenant. Writes nothing.
 * @param name organization id or schema
 * @throws TenantctlError TENANT_UNKNOWN, SCHEMA_MISSING; TENANT_BEHIND if migrations of the folder are pending
 */
export async function typesOfTenant(
  database: Database,
  name: string,
  options: { readonly tenantFolder: string },
): Promise<string> {
  const { tenant, pending } = await tenantState(database, name, options);
  if (!tenant.hasSchema) throw schemaMissing(tenant);
  if (pending.length > 0)
    throw new TenantctlError('TENANT_BEHIND', `${tenant.clerkOrgId} lacks ${listed(pending)}.`, {
      tenant: tenant.clerkOrgId,
      hint: 'Name a tenant that is up to date, or run tenantctl migrate tenants first.',
    });
  return renderTypes(await readRelations(database, tenant.schema), tenant.schema);
}
