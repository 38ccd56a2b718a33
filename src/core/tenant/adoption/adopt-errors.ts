import { literal, readable } from '../../../db/sql.ts';
import { TenantctlError } from '../../../errors.ts';
import type { Names, TenantNames } from '../../../names.ts';
import type { AdoptFacts } from '../../registry/adopt-row.ts';
import { tenantCommand } from '../../registry/not-active.ts';
import { misspelt, tenantExists } from '../../registry/registration-errors.ts';
import { registrySql, writtenStatus } from '../../registry/registry-sql.ts';
import { SYSTEM_SCHEMA } from '../../registry/schema-name.ts';

const CANDIDATES = 'Nothing was changed. tenantctl tenant adopt --dry-run lists the schemas that can be one.';

/** Why a schema cannot be registered for an organization; undefined if it can. Pure. @param takesRows tenantctl can insert rows into the registry */
export function refusalOfAdoption(
  names: Names,
  takesRows: boolean,
  tenant: TenantNames,
  { owner, extension, written, ownedBy, row }: AdoptFacts,
): TenantctlError | undefined {
  const { clerkOrgId, schema } = tenant;
  const taken = (message: string, hint: string) =>
    new TenantctlError('SCHEMA_NAME_TAKEN', message, { tenant: clerkOrgId, hint });
  if (SYSTEM_SCHEMA.test(schema)) return taken(`The schema ${schema} is never a tenant's.`, CANDIDATES);
  if (written !== clerkOrgId) return misspelt(clerkOrgId, written, `Name "${written}".`);
  if (owner === null)
    return new TenantctlError('SCHEMA_MISSING', `There is no schema ${schema}.`, {
      tenant: clerkOrgId,
      hint: 'tenantctl tenant adopt --dry-run lists the schemas that have no row. A new one is created by tenantctl tenant provision.',
    });
  if (extension !== null)
    return taken(`The schema ${schema} is that of the extension ${extension}.`, CANDIDATES);
  if (ownedBy !== null)
    return taken(
      `The schema ${schema} belongs to organization "${ownedBy}" already.`,
      `Nothing was changed. To give that tenant the other organization id: ${tenantCommand('rename', [ownedBy, clerkOrgId])}`,
    );
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
