import { tenantNotActive } from '../registry/not-active.ts';
import { TRANSITIONS } from '../registry/status.ts';
import {
  resultOf,
  UNCHANGED,
  type StatusChangeResult,
  type StatusTenant,
  type StatusVerb,
} from './status-change-result.ts';

/** Separates tenants to change from those that are as asked, or must not be changed. Pure. */
export function triageByStatus(
  verb: StatusVerb,
  tenants: readonly StatusTenant[],
): { readonly tasks: StatusTenant[]; readonly results: StatusChangeResult[] } {
  const { from, to } = TRANSITIONS[verb];
  const tasks: StatusTenant[] = [];
  const results: StatusChangeResult[] = [];
  for (const tenant of tenants) {
    if (from.some((status) => status === tenant.status)) tasks.push(tenant);
    else if (tenant.status === to) results.push(resultOf(tenant, UNCHANGED[verb]));
    else results.push(resultOf(tenant, 'failed', { error: tenantNotActive(tenant, tenant.status) }));
  }
  return { tasks, results };
}
