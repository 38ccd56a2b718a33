import { TenantctlError } from '../../errors.ts';
import { STATUSES } from '../../names.ts';
import { shellWord, tenantWord } from '../../wording.ts';
import { tenantUnfinished, type VerbIntent } from '../state/unfinished-verb.ts';
import { UNFINISHED } from './transitions.ts';

/**
 * Why nothing is done to a tenant that was asked for, with the way out. A status that a verb has left is explained by
 * that verb: TENANT_UNFINISHED.
 * @param status null if the registry no longer has its row
 */
export function tenantNotActive(
  {
    clerkOrgId: tenant,
    unfinished,
  }: { readonly clerkOrgId: string; readonly unfinished?: VerbIntent | undefined },
  status: string | null,
): TenantctlError {
  if (unfinished !== undefined) return tenantUnfinished(unfinished);
  if (status === null) {
    const message = `The tenant "${tenant}" is no longer in the registry.`;
    return new TenantctlError('TENANT_UNKNOWN', message, { tenant });
  }
  const message = `The tenant "${tenant}" is ${status === '' ? 'without a status' : status}: nothing was done to it.`;
  return new TenantctlError('TENANT_NOT_ACTIVE', message, { tenant, hint: wayOut(tenant, status) });
}

function wayOut(tenant: string, status: string): string | undefined {
  const command = provisionCommand([tenant]);
  if (status === 'PROVISIONING')
    return `Wait until its provisioning has ended. If no process works on it, this completes it, or names the command that does: ${command}`;
  if (status === '' || UNFINISHED.some((word) => word === status)) return `This completes it: ${command}`;
  if (!STATUSES.some((word) => word === status))
    return `If tenants with this status are in use, add it to REGISTRY_STATUSES: ACTIVE=...|${status}`;
  if (status === 'SUSPENDED') return `To resume it: ${tenantCommand('resume', [tenant])}`;
  if (status === 'ARCHIVED') return `To bring it back: ${tenantCommand('unarchive', [tenant])}`;
  return undefined;
}

export function provisionCommand(organizationIds: readonly string[]): string {
  return tenantCommand('provision', organizationIds);
}

/** For a shell. `--` protects ids that start with a dash. */
export function tenantCommand(
  verb: 'provision' | 'show' | 'suspend' | 'rename' | 'resume' | 'unarchive' | 'drop',
  organizationIds: readonly string[],
): string {
  const guard = organizationIds.some((id) => id.startsWith('-')) ? '-- ' : '';
  return `tenantctl tenant ${verb} ${guard}${organizationIds.map(tenantWord).join(' ')}`;
}

/** For a shell: registers an existing schema. @param organizationId may be a placeholder */
export function adoptCommand(schema: string, organizationId: string): string {
  const pair = `${schema}=${organizationId}`;
  return `tenantctl tenant adopt ${pair.startsWith('-') ? '-- ' : ''}${shellWord(pair)}`;
}
