import { messageOf, TenantctlError } from '../errors.ts';
import { isError } from '../is-error.ts';
import type { CallFacts } from './call-sql.ts';

/** A tenant as the application knows it. It can be written into a job, and given to `run` again. */
export interface TenantContext {
  readonly clerkOrgId: string;
  readonly schema: string;
  /** PostgreSQL's own number of the schema (its oid): another one if the tenant was dropped and made anew. */
  readonly schemaId?: string | undefined;
}

/** The facts of a call that may begin. */
export type Admitted = CallFacts & { readonly schema: string; readonly schemaId: string };

/**
 * Refuses a call for a tenant that must not be used.
 * @throws TenantctlError TENANT_UNKNOWN, TENANT_NOT_ACTIVE, SCHEMA_MISSING, RIGHTS_MISSING
 */
export function assertUsable(org: string, facts: CallFacts | undefined): asserts facts is Admitted {
  if (facts === undefined) throw unknownTenant(org);
  const { schema, status, schemaId, isVisible } = facts;
  if (status !== 'ACTIVE')
    throw new TenantctlError(
      'TENANT_NOT_ACTIVE',
      `The tenant "${org}" ${status === '' ? 'has no status' : `is ${status}`}.`,
      { tenant: org, hint: 'The application may use ACTIVE tenants only.' },
    );
  if (schema === null || schemaId === null)
    throw new TenantctlError(
      'SCHEMA_MISSING',
      schema === null
        ? `The registry names no schema for the tenant "${org}".`
        : `The schema ${schema} of the tenant "${org}" does not exist.`,
      { tenant: org, hint: 'Run tenantctl status: it shows what to do.' },
    );
  if (isVisible !== 't')
    throw new TenantctlError(
      'RIGHTS_MISSING',
      `The application's role has no USAGE on the schema ${schema} of the tenant "${org}".`,
      { tenant: org, hint: GRANT },
    );
}

/** Whether a tenant is the one that was meant. */
export function isSame(
  expected: TenantContext,
  { schema, schemaId }: Omit<TenantContext, 'clerkOrgId'>,
): boolean {
  return schema === expected.schema && (expected.schemaId === undefined || schemaId === expected.schemaId);
}

/** The error for a tenant that is no longer the one that was meant. */
export function changed(
  { clerkOrgId, schema }: TenantContext,
  now: Pick<TenantContext, 'schema'>,
): TenantctlError {
  return new TenantctlError(
    'TENANT_CHANGED',
    now.schema === schema
      ? `The schema ${schema} of the tenant "${clerkOrgId}" was made anew.`
      : `The tenant "${clerkOrgId}" is in the schema ${now.schema}, and no longer in ${schema}.`,
    {
      tenant: clerkOrgId,
      hint: 'Pass the organization id alone if it may be another tenant than before.',
    },
  );
}

/** The error for work that ended well although one of its statements had failed. */
export function aborted(org: string, failure: unknown): TenantctlError {
  return new TenantctlError(
    'TRANSACTION_ABORTED',
    `Nothing was committed for the tenant "${org}": a statement had failed, and the work went on: ${messageOf(failure)}.`,
    {
      tenant: org,
      sqlstate: sqlstateOf(failure),
      hint: 'Let the work throw the error of a statement, or roll back to a savepoint that you set before it.',
      cause: failure,
    },
  );
}

/** The error for a call that would have left something in its session. */
export function refused(reason: string, cause: unknown): TenantctlError {
  return new TenantctlError('SESSION_STATE', `The call was rolled back: ${reason}.`, {
    hint: MAY_DO,
    cause,
  });
}

export const MAY_DO =
  'The connection serves other tenants afterwards. docs/application.md says what a call may do.';

const GRANT = 'tenantctl grant application <role> gives what it needs.';

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
      hint: GRANT,
      cause: error,
    },
  );
}

/** The SQLSTATE of an error of any copy of pg. */
export function sqlstateOf(error: unknown): string | undefined {
  const code = isError(error) ? (error as { readonly code?: unknown }).code : undefined;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}
