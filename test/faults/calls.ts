import type { Extent, Migrations } from './projects.ts';

/** The role of an application. */
export const APPLICATION = 'faults_application';

/** What only the case knows, in the arguments of a call. */
export const PLACES = {
  /** The folder for the backups of the case's database. */
  out: '{out}',
  /** The first backup that tenantctl has recorded. */
  backup: '{backup}',
  /** The URL of the case's database. */
  url: '{url}',
  /** The file of the masks. */
  mask: '{mask}',
} as const;

/** A call of the program in a project with this many migrations. */
export interface Call {
  readonly args: readonly string[];
  readonly extent: Extent;
}

/** The commands from which scenarios are built. */
export interface Calls {
  readonly full: number;
  /** Number of tenant migrations that a fleet starts with. */
  readonly base: number;
  /** The target without migrations outside a transaction; all migrations if there are too few. */
  readonly most: number;
  readonly every: number;
  /** Whether one of the last `last` tenant migrations runs outside a transaction or follows one that does. */
  readonly hasOutside: (last: number) => boolean;
  readonly migrateMaster: (count: number) => Call;
  readonly migrateTenants: (count: number, ...flags: string[]) => Call;
  readonly migrateAll: (master: number, tenants: number) => Call;
  /** Rolls back to this many of the folder's tenant migrations. */
  readonly rollbackTenants: (to: number, count: number) => Call;
  readonly suspend: (organizations: readonly string[]) => Call;
  readonly resume: (organizations: readonly string[], count: number) => Call;
  /** Gives an organization another id. */
  readonly rename: (organization: string, to: string, ...flags: string[]) => Call;
  /** Records this many tenant migrations as applied. */
  readonly mark: (count: number) => Call;
  readonly grant: (...flags: string[]) => Call;
  readonly provision: (organizations: readonly string[], count: number, master?: number) => Call;
  readonly seed: (count: number) => Call;
  /** Applies a repeatable script. */
  readonly script: (count: number) => Call;
  readonly write: (count: number, ...args: string[]) => Call;
  /** `tenantctl tenant …` in a project with this many tenant migrations. */
  readonly tenant: (count: number, ...args: string[]) => Call;
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
    suspend: (organizations) => call(['tenant', 'suspend', ...organizations], base),
    resume: (organizations, count) => call(['tenant', 'resume', ...organizations], count),
    rename: (organization, to, ...flags) => call(['tenant', 'rename', organization, to, ...flags], base),
    mark: (count) => call(['history', 'mark', '--all', '--yes'], count),
    grant: (...flags) => call(['grant', 'application', APPLICATION, ...flags], base),
    provision: (organizations, count, masters) =>
      call(['tenant', 'provision', ...organizations], count, masters),
    seed: (count) => withFiles('seeds', call(['seed', 'tenants'], count)),
    script: (count) => withFiles('repeatable', call(['migrate', 'tenants'], count)),
    write: (count, ...args) => call(['exec', '--write', ...args], count),
    tenant: (count, ...args) => call(['tenant', ...args], count),
  };
}

function withFiles(files: Extent['with'], { args, extent }: Call): Call {
  return { args, extent: { ...extent, with: files } };
}

/** The calls for each number in the range; none if it is empty. */
export function upTo(from: number, to: number, call: (count: number) => Call): Call[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, nth) => call(from + nth));
}
