import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import { readActiveOrNamed, type RegisteredTenant } from '../registry/registry.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { schemaMissing } from './plan-fleet.ts';
import type { RefusedTenant, Selection } from './select-fleet.ts';
import { tenantUnfinished } from '../state/unfinished-verb.ts';

/** Tenants in whose schemas this role can work, and the others. */
export interface UsableTenants {
  readonly usable: readonly RegisteredTenant[];
  /** With another schema first in its search path, a session would work in `public`. */
  readonly refused: readonly RefusedTenant<RegisteredTenant>[];
}

/**
 * The ACTIVE tenants, or those that are named, whatever their status. Takes no locks.
 * @throws TenantctlError REGISTRY_ABSENT, REGISTRY_INVALID, TENANT_UNKNOWN
 */
export async function readUsableTenants(database: Database, { tenants }: Selection): Promise<UsableTenants> {
  await assertRegistry(database);
  const selected = await readActiveOrNamed(database, tenants);
  const { rows } = await database.query<{ schema: string }>(
    `SELECT nspname::text AS schema FROM pg_namespace WHERE nspname = ANY ($1::name[]) AND has_schema_privilege(oid, 'USAGE')`,
    [selected.map(({ schema }) => schema)],
  );
  const open = new Set(rows.map(({ schema }) => schema));
  const usable: RegisteredTenant[] = [];
  const refused: RefusedTenant<RegisteredTenant>[] = [];
  for (const tenant of selected) {
    if (tenant.unfinished !== undefined) refused.push({ tenant, error: tenantUnfinished(tenant.unfinished) });
    else if (!tenant.hasSchema) refused.push({ tenant, error: schemaMissing(tenant) });
    else if (!open.has(tenant.schema)) refused.push({ tenant, error: mayNotUse(tenant) });
    else usable.push(tenant);
  }
  return { usable, refused };
}

function mayNotUse({ clerkOrgId: tenant, schema }: RegisteredTenant): TenantctlError {
  return new TenantctlError('SCHEMA_MISSING', `This role may not use the schema ${schema} of "${tenant}".`, {
    tenant,
    hint: 'tenantctl doctor names missing rights.',
  });
}
