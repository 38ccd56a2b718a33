import {
  CHANGED,
  resultOf,
  type StatusChangeResult,
  type StatusChanges,
  type StatusTenant,
  type StatusVerb,
} from '../tenant/status/status-change-result.ts';
import { TRANSITIONS } from '../registry/transitions.ts';
import type { ErrorReport } from '../../errors.ts';
import { withReport } from './document.ts';

/** `tenant suspend` and `tenant resume`. */
export interface StatusChangesDocument extends Omit<StatusChanges, 'tenants'> {
  readonly tenants: readonly (Omit<StatusChangeResult, 'error'> & { readonly error?: ErrorReport })[];
}

export function statusChangesDocument({ run, tenants, ...rest }: StatusChanges): StatusChangesDocument {
  return { ...(run !== undefined && { run }), ...rest, tenants: tenants.map(withReport) };
}

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
