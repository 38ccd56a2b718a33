/** A number of tenants, or so many in a hundred. */
export type Share = { readonly count: number } | { readonly percent: number };

/** What floating-point arithmetic may add to a whole number: 0.7 % of 3,000 are 21. */
const ROUNDING = 1e-9;

/** How many of so many tenants a share is, rounded up: 10 % of 25 are 3. Pure. */
export function tenantsIn(share: Share, total: number): number {
  if ('count' in share) return Math.min(total, share.count);
  return Math.min(total, Math.ceil((total * share.percent) / 100 - ROUNDING));
}

/** How many of so many tenants are not more than a share, so rounded down: at most 10 % of 25 are 2. Pure. */
export function atMost(share: Share, total: number): number {
  return 'count' in share ? share.count : Math.floor((total * share.percent) / 100 + ROUNDING);
}
