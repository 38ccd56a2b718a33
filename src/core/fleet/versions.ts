import { compareNames, type MigrationFolder } from '../files/source.ts';
import type { HistoryEntry } from '../target/history.ts';
import { pendingIn } from './attention.ts';

/** Tenants with the same newest applied migration and the same number of pending ones. */
export interface FleetVersion {
  /** The newest applied migration by name; null if none is applied. */
  readonly version: string | null;
  readonly tenants: number;
  /** How many files of the folder are missing from the history. */
  readonly pending: number;
}

/** Histories that several tenants share are compared with the folder once. The newest version comes first. Pure. */
export function countVersions(
  histories: Iterable<{ readonly entries: readonly HistoryEntry[]; readonly count: number }>,
  folder: MigrationFolder,
): FleetVersion[] {
  const counts = new Map<readonly HistoryEntry[], number>();
  for (const { entries, count } of histories) counts.set(entries, (counts.get(entries) ?? 0) + count);
  const distinct = [...counts].map(([entries, tenants]) => ({
    version: newestIn(entries),
    tenants,
    pending: pendingIn(folder, { entries }).length,
  }));
  return [...Map.groupBy(distinct, ({ version, pending }) => `${pending} ${version}`).values()]
    .flatMap(([first, ...others]) =>
      first === undefined
        ? []
        : { ...first, tenants: others.reduce((sum, { tenants }) => sum + tenants, first.tenants) },
    )
    .toSorted(
      (one, other) => compareNames(other.version ?? '', one.version ?? '') || one.pending - other.pending,
    );
}

/** The newest applied migration by name; null if none is applied. Pure. */
export function newestIn(entries: readonly HistoryEntry[]): string | null {
  return (
    entries
      .map(({ name }) => name)
      .toSorted(compareNames)
      .at(-1) ?? null
  );
}
