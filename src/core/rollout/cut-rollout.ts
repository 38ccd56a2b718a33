import { createHash } from 'node:crypto';
import { tenantsIn, type Share } from './options.ts';

/** A number of canaries, or their schemas. */
export type Canaries = Share | ReadonlySet<string>;

/**
 * Divides the due tenants into canaries and waves, in the order in which they are served. Without a wave
 * size, all but the canaries are one wave. Percentages are of all due tenants. Canaries are chosen by schema
 * name alone: the same fleet has the same canaries, and a larger share includes a smaller one. Pure.
 */
export function cutRollout<T extends { readonly tenant: { readonly schema: string } }>(
  dues: readonly T[],
  canary: Canaries | undefined,
  wave?: Share,
): { readonly canaries: readonly T[]; readonly waves: readonly (readonly T[])[] } {
  const canaries = canary === undefined ? [] : chooseCanaries(dues, canary);
  const isCanary = new Set(canaries);
  const rest = dues.filter((due) => !isCanary.has(due));
  const size = wave === undefined ? rest.length : Math.max(1, tenantsIn(wave, dues.length));
  const waves: T[][] = [];
  for (let at = 0; at < rest.length; at += size) waves.push(rest.slice(at, at + size));
  return { canaries, waves };
}

function chooseCanaries<T extends { readonly tenant: { readonly schema: string } }>(
  dues: readonly T[],
  canary: Canaries,
): readonly T[] {
  if (canary instanceof Set) return dues.filter(({ tenant }) => canary.has(tenant.schema));
  return dues
    .map((due) => ({ due, rank: createHash('sha256').update(due.tenant.schema).digest('hex') }))
    .toSorted((one, other) => (one.rank < other.rank ? -1 : 1))
    .slice(0, tenantsIn(canary as Share, dues.length))
    .map(({ due }) => due);
}
