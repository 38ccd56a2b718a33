import { messageOf, TenantctlError } from '../errors.ts';
import { isError } from '../is-error.ts';
import type { CallFacts } from './call-sql.ts';

/** Refuses a call for a tenant that must not be used. @throws TenantctlError TENANT_UNKNOWN, TENANT_NOT_ACTIVE, SCHEMA_MISSING */
export function assertUsable(
  org: string,
  facts: CallFacts | undefined,
): asserts facts is CallFacts & { schema: string } {
  if (facts === undefined) throw unknownTenant(org);
  const { schema, status, hasSchema } = facts;
  if (status !== 'ACTIVE')
    throw new TenantctlError(
      'TENANT_NOT_ACTIVE',
      `The tenant "${org}" is ${status === '' ? 'without a status' : status}.`,
      {
        tenant: org,
        hint: 'The application may use ACTIVE tenants only.',
      },
    );
  if (schema === null || hasSchema !== 't')
    throw new TenantctlError(
      'SCHEMA_MISSING',
      `The tenant "${org}" has no schema: ${schema ?? 'its row names none'}.`,
      {
        tenant: org,
        hint: 'tenantctl status shows it, and what to do.',
      },
    );
}

/** The error for a tenant that lacks a migration. */
export function behind(org: string, migration: string): TenantctlError {
  return new TenantctlError(
    'TENANT_BEHIND',
    `The tenant "${org}" does not have the migration ${migration} yet.`,
    {
      tenant: org,
      migration,
      hint: 'Run tenantctl migrate tenants before the release that needs it.',
    },
  );
}

export function unknownTenant(org: string): TenantctlError {
  return new TenantctlError('TENANT_UNKNOWN', `No tenant "${org}" is registered.`, {
    tenant: org,
    hint: 'The registry has no row for this organization. If it is new, provision it first.',
  });
}

/** The error for rights that the application's role lacks; undefined if that is not the reason (42501). */
export function rightsMissing(org: string, error: unknown): TenantctlError | undefined {
  if (sqlstateOf(error) !== '42501') return undefined;
  return new TenantctlError(
    'RIGHTS_MISSING',
    `The application's role may not use the tenant "${org}": ${messageOf(error)}.`,
    {
      tenant: org,
      sqlstate: '42501',
      hint: 'tenantctl grant application <role> gives what it needs.',
      cause: error,
    },
  );
}

/** The SQLSTATE of an error of any copy of pg. */
export function sqlstateOf(error: unknown): string | undefined {
  const code = isError(error) ? (error as { readonly code?: unknown }).code : undefined;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}
