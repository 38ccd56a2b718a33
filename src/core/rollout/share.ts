/** A number or a percentage of tenants. */
export type Share = { readonly count: number } | { readonly percent: number };

/** Tolerance for floating-point errors: 0.7 % of 3,000 is 21. */
const ROUNDING = 1e-9;

/** A share of a number of tenants, rounded up: 10 % of 25 is 3. Pure. */
export function tenantsIn(share: Share, total: number): number {
  if ('count' in share) return Math.min(total, share.count);
  return Math.min(total, Math.ceil((total * share.percent) / 100 - ROUNDING));
}

/** A share as an upper limit, rounded down: at most 10 % of 25 is 2. Pure. */
export function atMost(share: Share, total: number): number {
  return 'count' in share ? share.count : Math.floor((total * share.percent) / 100 + ROUNDING);
}
