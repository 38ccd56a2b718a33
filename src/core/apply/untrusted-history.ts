import { toDatabaseError } from '../../db/database-error.ts';
import { TenantctlError } from '../../errors.ts';
import { UNTRUSTED } from '../stamps/trust-routines.ts';
import type { Target } from '../target/target.ts';

/** The error for a history in which the tenant's role could run its code through tenantctl; undefined for others. */
export function untrustedHistory(
  error: unknown,
  { clerkOrgId, role }: Pick<Target, 'clerkOrgId' | 'role'>,
  migration?: string,
): TenantctlError | undefined {
  const { sqlstate, message } = toDatabaseError(error);
  if (sqlstate !== UNTRUSTED) return undefined;
  return new TenantctlError(
    'HISTORY_UNTRUSTED',
    `${message}: tenantctl would run code of ${role ?? 'the tenant'}, the tenant's role, with its own rights.`,
    {
      tenant: clerkOrgId,
      migration,
      hint: 'Nothing was changed. Find out who made that table. tenantctl doctor has the SQL that gives it to the role that tenantctl works as.',
    },
  );
}
