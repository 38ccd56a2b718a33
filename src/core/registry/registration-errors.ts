import { toDatabaseError } from '../../db/database-error.ts';
import { identifier, literal } from '../../db/sql.ts';
import type { ErrorCode } from '../../error-code.ts';
import { TenantctlError } from '../../errors.ts';
import { registryName, STATUSES, type Names, type TenantStatus } from '../../names.ts';
import { tenantWord } from '../../wording.ts';
import type { RegisteredTenant } from './registry.ts';
import { adoptCommand, provisionCommand, tenantCommand } from './not-active.ts';
import { writtenStatus } from './registry-sql.ts';
import { SYSTEM_SCHEMA } from './schema-name.ts';

function refused(code: ErrorCode, tenant: string, message: string, hint: string): TenantctlError {
  return new TenantctlError(code, message, { tenant, hint });
}

export function taken(tenant: string, schema: string, other: string): TenantctlError {
  return refused(
    'SCHEMA_NAME_TAKEN',
    tenant,
    `The schema ${schema} of organization "${tenant}" belongs to organization "${other}" already.`,
    `Nothing was changed. If "${other}" is a tenant that was renamed, give its schema its new name first: tenantctl tenant rename ${tenantWord(other)} ${tenantWord(other)} --with-schema`,
  );
}

/** Why the schema that a row names cannot be its tenant's. */
export function refusedSchema({
  clerkOrgId: tenant,
  schema,
  sharedBy,
}: Pick<RegisteredTenant, 'clerkOrgId' | 'schema' | 'sharedBy'>): TenantctlError | undefined {
  if (SYSTEM_SCHEMA.test(schema)) {
    const message = `The row of "${tenant}" names the schema ${schema}, which is not a tenant's.`;
    return refused('SCHEMA_NAME_TAKEN', tenant, message, 'Correct its schema name. Nothing was changed.');
  }
  if (sharedBy === undefined || sharedBy === null || schema === '') return undefined;
  const message = `The rows of ${sharedBy} name the same schema, ${schema}.`;
  const hint =
    'Two organizations never share a schema: correct the rows. Until then tenantctl changes none of these tenants.';
  return refused('SCHEMA_NAME_TAKEN', tenant, message, hint);
}

/**
 * @param written what the registry makes of the organization id
 * @param hint how to name it
 * @param tenant whom the error is about
 */
export function misspelt(
  clerkOrgId: string,
  written: string,
  hint: string,
  tenant = clerkOrgId,
): TenantctlError {
  const message = `The registry writes the organization "${clerkOrgId}" as "${written}".`;
  return refused('ORGANIZATION_ID_INVALID', tenant, message, hint);
}

/**
 * The error of a statement that writes an organization id into the type of its column.
 * @param tenant whom the error is about
 */
export function unheldId(clerkOrgId: string, thrown: unknown, tenant = clerkOrgId): TenantctlError {
  const error = toDatabaseError(thrown, { tenant });
  // No uuid or number; too long; too large.
  if (!['22P02', '22001', '22003'].includes(error.sqlstate ?? '')) return error;
  const message = `The registry cannot hold "${clerkOrgId}": ${error.message}`;
  return refused('ORGANIZATION_ID_INVALID', tenant, message, 'Nothing was changed.');
}

/** @param schema empty if it is not known @param tenant whom the error is about */
export function tenantExists(
  clerkOrgId: string,
  schema: string,
  hint: string,
  tenant = clerkOrgId,
): TenantctlError {
  const where = schema === '' ? '' : `, with the schema ${schema}`;
  const message = `The tenant "${clerkOrgId}" exists already${where}. Nothing was changed.`;
  return refused('TENANT_EXISTS', tenant, message, hint);
}

export function refusedRow(names: Names, tenant: string, thrown: unknown): TenantctlError {
  const error = toDatabaseError(thrown, { tenant });
  const { organization } = names.columns;
  // invalid_text_representation names the value that a column cannot hold; check_violation names none.
  const written = names.statuses.PROVISIONING[0] ?? 'PROVISIONING';
  const isOfStatus = error.sqlstate === '23514' || error.message.includes(`"${written}"`);
  const isOfOrganization = error.sqlstate === '22P02' && error.message.includes(`"${tenant}"`);
  if (isOfOrganization)
    return error.with({
      hint: `The column ${organization} cannot hold this organization id. Provision an id that it can hold, or name another column in REGISTRY_COLUMNS.`,
    });
  if (!isOfStatus || !['22P02', '23514'].includes(error.sqlstate ?? '')) return error;
  return error.with({ hint: mapStatus(names, 'PROVISIONING') });
}

/** The error of an UPDATE of the status alone. */
export function refusedStatus(
  names: Names,
  tenant: string,
  thrown: unknown,
  word: TenantStatus,
): TenantctlError {
  const error = toDatabaseError(thrown, { tenant });
  // Not a value of the enum; a check; too long for the column.
  if (!['22P02', '23514', '22001'].includes(error.sqlstate ?? '')) return error;
  return error.with({ hint: mapStatus(names, word) });
}

function mapStatus(names: Names, word: TenantStatus): string {
  return `If ${names.columns.status} cannot hold ${writtenStatus(names, word)}, map ${word} to a value that it can hold in REGISTRY_STATUSES: ${word}=<value>`;
}

export function rowNeeded(names: Names, tenant: string, toFill: readonly string[]): TenantctlError {
  const { organization, schema, status } = names.columns;
  const isRefused = toFill.length === 0;
  const why = isRefused ? 'it takes no INSERT' : `it needs values for ${toFill.join(', ')}`;
  const otherwise = isRefused ? ' If tenantctl should insert it: tenantctl doctor shows the GRANT.' : '';
  return refused(
    'TENANT_UNKNOWN',
    tenant,
    `The registry has no row for "${tenant}", and tenantctl cannot insert one into ${registryName(names)}: ${why}.`,
    `Insert the row as your application does, with ${organization} = ${literal(tenant)}, ${schema} NULL and ${status} NULL or ${writtenStatus(names, 'PROVISIONING')}. Then run the command again.${otherwise}`,
  );
}

export function withoutSchema(names: Names, tenant: string, status: string): TenantctlError {
  const [begun, failed] = [writtenStatus(names, 'PROVISIONING'), writtenStatus(names, 'FAILED')];
  if (status === 'ACTIVE') {
    const message = `The row of "${tenant}" has no schema name, and its status is ${status}.`;
    const hint = `If it has a schema, write its name into the row. To create an empty one: ${tenantCommand('drop', [tenant])} and then: ${provisionCommand([tenant])}`;
    return refused('SCHEMA_MISSING', tenant, message, hint);
  }
  return refused(
    'TENANT_NOT_ACTIVE',
    tenant,
    `The row of "${tenant}" has no schema name, and its status is ${status}: it is not provisioned.`,
    STATUSES.some((word) => word === status)
      ? `Only a row whose ${names.columns.status} is NULL, ${begun} or ${failed} is provisioned.`
      : `To provision rows with this status, add it to REGISTRY_STATUSES: PROVISIONING=...|${status}.`,
  );
}

export function unregistered(tenant: string, schema: string): TenantctlError {
  return refused(
    'SCHEMA_UNREGISTERED',
    tenant,
    `The schema ${schema} exists already, and no tenant is registered for it. Nothing was changed.`,
    `To keep what it holds: ${adoptCommand(schema, tenant)}, and then tenantctl migrate tenants. To start over: DROP SCHEMA ${identifier(schema)} CASCADE;`,
  );
}
