import {
  CHANGED,
  resultOf,
  type StatusChangeResult,
  type StatusChanges,
  type StatusTenant,
  type StatusVerb,
} from '../tenant/status/status-change-result.ts';
import { TRANSITIONS } from '../registry/transitions.ts';
import { tenantsDocument, withReport, type TenantsDocument } from './document.ts';

/** `tenant suspend` and `tenant resume`. */
export type StatusChangesDocument = TenantsDocument<StatusChanges>;

export const statusChangesDocument = (result: StatusChanges): StatusChangesDocument =>
  tenantsDocument(result);

/** With `--dry-run`: each tenant's `outcome` is what it would be. */
export function plannedStatusDocument(
  verb: StatusVerb,
  {
    tasks,
    results,
  }: { readonly tasks: readonly StatusTenant[]; readonly results: readonly StatusChangeResult[] },
): Pick<StatusChangesDocument, 'tenants'> & { readonly dryRun: true } {
  const changed = tasks.map((tenant) => resultOf(tenant, CHANGED[TRANSITIONS[verb].to]));
  return { dryRun: true, tenants: [...changed, ...results].map(withReport) };
}
