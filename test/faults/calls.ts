import type { Extent, Migrations } from './projects.ts';

/** A call of the program in a project with so many migrations. */
export interface Call {
  readonly args: readonly string[];
  readonly extent: Extent;
}

/** The commands of which scenarios are made, with these migrations. */
export interface Calls {
  /** How many master migrations there are. */
  readonly full: number;
  /** How many tenant migrations a fleet has at its start. */
  readonly base: number;
  /** How many it gets where none is to run outside a transaction; all of them where there are too few of these. */
  readonly most: number;
  /** How many there are. */
  readonly every: number;
  /** Whether the last of so many tenant migrations come behind one outside a transaction, or are one. */
  readonly hasOutside: (last: number) => boolean;
  readonly migrateMaster: (count: number) => Call;
  readonly migrateTenants: (count: number, ...flags: string[]) => Call;
  readonly migrateAll: (master: number, tenants: number) => Call;
  /** Undoes down to so many tenant migrations, of those that are in the folder. */
  readonly rollbackTenants: (to: number, count: number) => Call;
  readonly provision: (organizations: readonly string[], count: number, master?: number) => Call;
}

export function createCalls({ master, tenants, inside }: Migrations): Calls {
  const full = master.length;
  const most = inside >= 2 ? inside : tenants.length;
  const base = Math.max(1, Math.floor(most / 2));
  const call = (args: readonly string[], count: number, masters = full): Call => ({
    args,
    extent: { master: masters, tenants: count },
  });
  return {
    full,
    base,
    most,
    every: tenants.length,
    hasOutside: (last) => last > inside,
    migrateMaster: (count) => call(['migrate', 'master'], base, count),
    migrateTenants: (count, ...flags) => call(['migrate', 'tenants', ...flags], count),
    migrateAll: (masters, count) => call(['migrate', 'all'], count, masters),
    rollbackTenants: (to, count) => call(['rollback', 'tenants', '--to', tenants[to]?.name ?? ''], count),
    provision: (organizations, count, masters) =>
      call(['tenant', 'provision', ...organizations], count, masters),
  };
}

/** The calls for each number from the one to the other; none where that is smaller. */
export function upTo(from: number, to: number, call: (count: number) => Call): Call[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, nth) => call(from + nth));
}
