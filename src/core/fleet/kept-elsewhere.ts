import { counted, listed, shellWord, tenantOption } from '../../wording.ts';
import { stemOf } from '../files/source.ts';
import type { Member } from './member.ts';

/** Tenants that a command names in full. */
const NAMED = 5;

/**
 * What to say of tenants that another run has brought what was undone: one that was provisioned after the deploy,
 * or retried. Pure.
 * @param undone names in the history, in any order
 */
export function keptElsewhere(undone: readonly string[], others: readonly Member[]): string | undefined {
  const held = new Set(others.flatMap(({ history }) => history.entries.map(({ name }) => stemOf(name))));
  const kept = undone.filter((name) => held.has(stemOf(name))).toSorted();
  const [oldest] = kept;
  if (oldest === undefined) return undefined;
  const organizations = others.map(({ tenant }) => tenant.clerkOrgId);
  const named = organizations.length > NAMED ? '--tenant <org>' : tenantOption(organizations);
  return [
    `${counted(others.length, 'other tenant', 'keeps')} ${listed(kept)}, applied by another run: ${listed(organizations)}.`,
    `To undo it there too: tenantctl rollback tenants ${named} --to ${shellWord(oldest)}`,
  ].join(' ');
}
