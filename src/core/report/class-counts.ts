/** The class of a tenant, decided by src/core/fleet/class-of.ts. */
export type TenantClass = 'upToDate' | 'behind' | 'failed' | 'notActive' | 'broken';

/** How many tenants are in each class. Classes are exclusive and add up to the total. */
export type ClassCounts = Readonly<Record<TenantClass | 'total', number>>;

/** Pure. */
export function countClasses(
  tenants: Iterable<{ readonly class: TenantClass; readonly count: number }>,
): ClassCounts {
  const counts = { total: 0, upToDate: 0, behind: 0, failed: 0, notActive: 0, broken: 0 };
  for (const { class: of, count } of tenants) {
    counts.total += count;
    counts[of] += count;
  }
  return counts;
}

/** Pure. */
export function countStatuses(
  tenants: Iterable<{ readonly status: string; readonly count: number }>,
): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { status, count } of tenants) counts.set(status, (counts.get(status) ?? 0) + count);
  return Object.fromEntries([...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
