import { TenantctlError } from '../../errors.ts';
import { findTenants } from '../registry/registry.ts';
import { hasStatus, registrySql, statusOf } from '../registry/registry-sql.ts';
import type { Selection } from '../fleet/select-fleet.ts';
import type { Database } from '../../db/database.ts';

/**
 * The schemas of canaries that were given by organization id or schema name.
 * @throws TenantctlError TENANT_UNKNOWN; TENANT_NOT_ACTIVE; USAGE for one that is not selected
 */
export async function findCanaries(
  database: Database,
  names: readonly string[],
  selection: Selection,
): Promise<ReadonlySet<string>> {
  const canaries = await findTenants(database, names);
  const schemas = new Set(canaries.map(({ schema }) => schema));
  if (selection.tenants !== undefined) {
    const selected = new Set((await findTenants(database, selection.tenants)).map(({ schema }) => schema));
    const outside = canaries.find(({ schema }) => !selected.has(schema));
    if (outside !== undefined) {
      throw new TenantctlError(
        'USAGE',
        `"${outside.clerkOrgId}" is to be a canary, and the run is not for it.`,
        {
          tenant: outside.clerkOrgId,
          hint: 'Name it with --tenant, too, or choose another canary.',
        },
      );
    }
  }
  const { table, organization, schema, status } = registrySql(database.names);
  const { rows } = await database.query<{ clerkOrgId: string; status: string }>(
    `SELECT ${organization}::text AS "clerkOrgId", ${statusOf(database.names, status)} AS status FROM ${table}
     WHERE ${schema}::text = ANY ($1::text[]) AND NOT ${hasStatus(database.names, status, ['ACTIVE'])} LIMIT 1`,
    [[...schemas]],
  );
  const [idle] = rows;
  if (idle !== undefined) {
    throw new TenantctlError(
      'TENANT_NOT_ACTIVE',
      `"${idle.clerkOrgId}" is to be a canary, and its status is ${idle.status}: nothing would be done to it.`,
      { tenant: idle.clerkOrgId, hint: 'Choose a canary that is ACTIVE.' },
    );
  }
  return schemas;
}
