import { toDatabaseError } from '../../db/database-error.ts';
import { identifier, literal } from '../../db/sql.ts';
import { TenantctlError } from '../../errors.ts';
import { registryName, STATUSES, type Names } from '../../names.ts';
import { insertTenant, updateTenant, writtenStatus } from './registry-sql.ts';

export function taken(clerkOrgId: string, schema: string, other: string): TenantctlError {
  return new TenantctlError(
    'SCHEMA_NAME_TAKEN',
    `The schema ${schema} of organization "${clerkOrgId}" belongs to organization "${other}" already.`,
    {
      tenant: clerkOrgId,
      hint: 'Two organizations never share a schema, so this one is refused. Nothing was changed.',
    },
  );
}

export function misspelt(tenant: string, written: string): TenantctlError {
  return new TenantctlError(
    'ORGANIZATION_ID_INVALID',
    `The registry writes the organization "${tenant}" as "${written}".`,
    {
      tenant,
      hint: `Provision "${written}".`,
    },
  );
}

export function refusedRow(names: Names, tenant: string, thrown: unknown): TenantctlError {
  const error = toDatabaseError(thrown, { tenant });
  // https://www.postgresql.org/docs/current/errcodes-appendix.html: a value that its type or a CHECK does not allow.
  if (error.sqlstate !== '22P02' && error.sqlstate !== '23514') return error;
  const hint = `If ${names.columns.status} cannot hold ${writtenStatus(names, 'PROVISIONING')}, map PROVISIONING to a value that it can hold in REGISTRY_STATUSES.`;
  return error.with({ hint });
}

export function rowNeeded(names: Names, clerkOrgId: string, toFill: readonly string[]): TenantctlError {
  const { organization, schema, status } = names.columns;
  const isRefused = toFill.length === 0;
  const why = isRefused ? 'it takes no INSERT' : `it needs values for ${toFill.join(', ')}`;
  const otherwise = isRefused ? ' If tenantctl should insert it: tenantctl doctor shows the GRANT.' : '';
  return new TenantctlError(
    'TENANT_UNKNOWN',
    `The registry has no row for "${clerkOrgId}", and tenantctl cannot insert one into ${registryName(names)}: ${why}.`,
    {
      tenant: clerkOrgId,
      hint: `Insert the row as your application does, with ${organization} = ${literal(clerkOrgId)}, ${schema} NULL and ${status} NULL or ${writtenStatus(names, 'PROVISIONING')}. Then provision again.${otherwise}`,
    },
  );
}

export function withoutSchema(names: Names, clerkOrgId: string, status: string): TenantctlError {
  const isMapped = STATUSES.some((word) => word === status);
  return new TenantctlError(
    'TENANT_NOT_ACTIVE',
    `The row of "${clerkOrgId}" names no schema, and its status is ${status}: it is not provisioned.`,
    {
      tenant: clerkOrgId,
      hint: isMapped
        ? `Only a row whose ${names.columns.status} is NULL, ${writtenStatus(names, 'PROVISIONING')} or ${writtenStatus(names, 'FAILED')} is provisioned.`
        : `If rows with this status are to be provisioned, add it to REGISTRY_STATUSES: PROVISIONING=…|${status}.`,
    },
  );
}

/** @param hasRow the organization has a row without a schema */
export function unregistered(
  names: Names,
  clerkOrgId: string,
  schema: string,
  hasRow: boolean,
): TenantctlError {
  return new TenantctlError(
    'SCHEMA_UNREGISTERED',
    `The schema ${schema} exists already, and no tenant is registered for it. Nothing was changed.`,
    {
      tenant: clerkOrgId,
      hint: `To continue with what it holds, register it and provision again: ${(hasRow ? updateTenant : insertTenant)(names, clerkOrgId, schema)} To begin anew: DROP SCHEMA ${identifier(schema)} CASCADE;`,
    },
  );
}
