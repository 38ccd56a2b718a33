import type { TenantctlError } from '../../../errors.ts';
import { tenantNotActive } from '../../registry/not-active.ts';
import { tenantUnfinished } from '../../state/unfinished-verb.ts';
import { TRANSITIONS, type StatusChange } from '../../registry/transitions.ts';
import { resultOf, UNCHANGED, type StatusChangeResult, type StatusTenant } from './status-change-result.ts';

/** Separates tenants to change from those that are as asked, or must not be changed. Pure. */
export function triageByStatus(
  change: StatusChange,
  tenants: readonly (StatusTenant & { readonly error?: TenantctlError })[],
): { readonly tasks: StatusTenant[]; readonly results: StatusChangeResult[] } {
  const { from, to } = TRANSITIONS[change];
  const tasks: StatusTenant[] = [];
  const results: StatusChangeResult[] = [];
  for (const tenant of tenants) {
    if (tenant.error !== undefined) results.push(resultOf(tenant, 'failed', { error: tenant.error }));
    else if (tenant.unfinished !== undefined)
      results.push(resultOf(tenant, 'failed', { error: tenantUnfinished(tenant.unfinished) }));
    else if (from.some((status) => status === tenant.status)) tasks.push(tenant);
    else if (tenant.status === to) results.push(resultOf(tenant, UNCHANGED[to]));
    else results.push(resultOf(tenant, 'failed', { error: tenantNotActive(tenant, tenant.status) }));
  }
  return { tasks, results };
}
