import { literal, readable } from '../../../db/sql.ts';
import { TenantctlError } from '../../../errors.ts';
import type { Names, TenantNames } from '../../../names.ts';
import type { AdoptFacts } from '../../registry/adopt-row.ts';
import { misspelt, refusedSchema, taken, tenantExists } from '../../registry/registration-errors.ts';
import { registrySql, writtenStatus } from '../../registry/registry-sql.ts';

/** Why a schema cannot be registered for an organization; undefined if it can. Pure. @param takesRows tenantctl can insert rows into the registry */
export function refusalOfAdoption(
  names: Names,
  takesRows: boolean,
  tenant: TenantNames,
  { owner, extension, written, ownedBy, row }: AdoptFacts,
): TenantctlError | undefined {
  const { clerkOrgId, schema } = tenant;
  const refused = refusedSchema(tenant);
  if (refused !== undefined) return refused;
  if (written !== clerkOrgId) return misspelt(clerkOrgId, written, `Name "${written}".`);
  if (owner === null)
    return new TenantctlError('SCHEMA_MISSING', `There is no schema ${schema}.`, {
      tenant: clerkOrgId,
      hint: 'tenantctl tenant adopt --dry-run lists the schemas that have no row. A new one is created by tenantctl tenant provision.',
    });
  if (extension !== null)
    return new TenantctlError(
      'SCHEMA_NAME_TAKEN',
      `The schema ${schema} is that of the extension ${extension}.`,
      {
        tenant: clerkOrgId,
        hint: "It is not a tenant's. tenantctl tenant adopt --dry-run lists the schemas that can be one.",
      },
    );
  if (ownedBy !== null) return taken(clerkOrgId, schema, ownedBy);
  if (row !== null && row.schema !== '')
    return tenantExists(clerkOrgId, row.schema, 'An organization has one schema.');
  return row === null && !takesRows ? rowNeeded(names, tenant) : undefined;
}

function rowNeeded(names: Names, { clerkOrgId: tenant, schema }: TenantNames): TenantctlError {
  const { table, organization, schema: column, status } = registrySql(names, readable);
  return new TenantctlError(
    'TENANT_UNKNOWN',
    `The registry has no row for "${tenant}", and tenantctl cannot insert one into ${table}.`,
    {
      tenant,
      hint: `Insert the row as your application does, with ${organization} = ${literal(tenant)} and ${column} NULL, and adopt it again; or with ${column} = ${literal(schema)} and ${status} = ${writtenStatus(names, 'ACTIVE')}.`,
    },
  );
}
