import { TenantctlError } from '../../errors.ts';

/** SQLSTATEs of what is not there: perhaps a master migration makes it. */
const ABSENT = /^(42P01|42704|42883|3F000|42703)$/;

export function referenceFailed(
  migration: string | undefined,
  error: TenantctlError | undefined,
): TenantctlError {
  const master = ABSENT.test(error?.sqlstate ?? '')
    ? 'If it needs what master migrations make, apply those first: tenantctl migrate master. '
    : '';
  return new TenantctlError(
    'REFERENCE_FAILED',
    `What the migrations make could not be built: ${error?.message ?? ''}`,
    {
      ...(migration !== undefined && { migration }),
      ...(error?.sqlstate !== undefined && { sqlstate: error.sqlstate }),
      hint: `${master}If it runs for tenants and not here, compare with a tenant instead: --reference <org>.`,
      cause: error,
    },
  );
}
