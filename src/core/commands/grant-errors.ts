import { shellWord } from '../../wording.ts';
import { messageOf, TenantctlError } from '../../errors.ts';

/** The error for a role that cannot be an application's. */
export function applicationRoleUnusable(role: string, why: string, hint: string): TenantctlError {
  return new TenantctlError('APPLICATION_ROLE_UNUSABLE', `The role "${role}" ${why}.`, { hint });
}

/** @param statements what has to be granted or revoked, for somebody who may */
export function mayNotGrant(
  role: string,
  statements: readonly string[],
  cause?: unknown,
  tenant?: string,
): TenantctlError {
  const why = cause === undefined ? '' : `: ${messageOf(cause)}`;
  const message = `tenantctl's role may not change the rights of "${role}"${tenant === undefined ? ' on the registry' : ''}${why}`;
  const sql = statements.map((statement) => `${statement};`).join(' ');
  return new TenantctlError('RIGHTS_MISSING', message, {
    tenant,
    sqlstate: '42501',
    hint:
      sql === ''
        ? `${hintOf(cause) ?? 'Only the owner of an object, or a superuser, may grant rights on it.'} tenantctl grant application ${shellWord(role)} --dry-run prints the SQL.`
        : `As the owner or a superuser: ${sql} Then run the command again.`,
    cause,
  });
}

function hintOf(cause: unknown): string | undefined {
  return cause instanceof TenantctlError ? cause.hint : undefined;
}
