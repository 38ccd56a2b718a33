import type { Extent, Migrations } from './projects.ts';

/** A call of the program in a project with so many migrations. */
export interface Call {
  readonly args: readonly string[];
  readonly extent: Extent;
}

/** A command to strike at, and where it starts from. */
export interface Scenario {
  readonly id: string;
  /** What is called, once each, to bring an empty database to where the command starts. */
  readonly before: readonly Call[];
  /** Afterwards, what tenantctl keeps of its own is taken out: what remains is as Knex leaves it. */
  readonly isAdopted?: boolean;
  /** The command. Called again, it finishes what it began. */
  readonly call: Call;
  /** Undisturbed calls, each from the same start, that end in every history at which the command may have stopped. */
  readonly steps: readonly Call[];
  readonly organizations: readonly string[];
  /** Some of its migrations run outside a transaction: a tenant may be left between two of them. */
  readonly hasOutside: boolean;
  /** A second process is given the same command at the same time, and is left in peace. */
  readonly isShared?: boolean;
}

const FLEET = ['org_a', 'org_b', 'org_c', 'org_d', 'org_e', 'org_f'];
/** CREATE INDEX CONCURRENTLY waits for all others, so these take turns: fewer do. */
const FEW = FLEET.slice(0, 3);
const NEWCOMERS = ['new_a', 'new_b', 'new_c', 'new_d'];

/** The commands with these migrations. Those that would have nothing to do are left out. */
export function scenariosFor(migrations: Migrations): Scenario[] {
  const { master, tenants, inside } = migrations;
  const hasOutside = inside < tenants.length;
  // With too few before the first outside a transaction, every scenario gets all of them.
  const most = inside >= 2 ? inside : tenants.length;
  const base = Math.max(1, Math.floor(most / 2));
  const full = master.length;
  const withTenants = (count: number): Extent => ({ master: full, tenants: count });
  const provision = (organizations: readonly string[], extent: Extent): Call => ({
    args: ['tenant', 'provision', ...organizations],
    extent,
  });
  const migrateMaster = (count: number): Call => ({
    args: ['migrate', 'master'],
    extent: { master: count, tenants: base },
  });
  const fleetAt = (organizations: readonly string[]) => [
    migrateMaster(full),
    provision(organizations, withTenants(base)),
  ];
  const upTo = (from: number, to: number, call: (count: number) => Call): Call[] =>
    Array.from({ length: to - from + 1 }, (_, nth) => call(from + nth));

  const forward = (id: string, last: number, flags: readonly string[] = []): Scenario => {
    const organizations = last > inside ? FEW : FLEET;
    const call = (count: number): Call => ({
      args: ['migrate', 'tenants', ...flags],
      extent: withTenants(count),
    });
    return {
      id,
      before: fleetAt(organizations),
      call: call(last),
      steps: upTo(base, last, call),
      organizations,
      hasOutside: last > inside,
    };
  };
  const back = (id: string, last: number): Scenario => {
    const organizations = last > inside ? FEW : FLEET;
    const call = (to: number): Call => ({
      args: ['rollback', 'tenants', '--to', tenants[to]?.name ?? ''],
      extent: withTenants(last),
    });
    const migrate: Call = { args: ['migrate', 'tenants'], extent: withTenants(last) };
    return {
      id,
      before: [...fleetAt(organizations), migrate],
      call: call(base),
      steps: [migrate, ...upTo(base, last - 1, call)],
      organizations,
      hasOutside: last > inside,
    };
  };
  const make = (id: string, last: number): Scenario => {
    const organizations = last > inside ? NEWCOMERS.slice(0, 3) : NEWCOMERS;
    return {
      id,
      before: [migrateMaster(full)],
      call: provision(organizations, withTenants(last)),
      steps: upTo(0, last, (count) => provision(organizations, withTenants(count))),
      organizations,
      hasOutside: last > inside,
    };
  };
  const masterOnly = (id: string, from: number): Scenario => ({
    id,
    before: from === 0 ? [] : [migrateMaster(from)],
    call: migrateMaster(full),
    steps: upTo(Math.max(1, from), full, migrateMaster),
    organizations: [],
    hasOutside: false,
  });
  const all = (count: Extent): Call => ({ args: ['migrate', 'all'], extent: count });
  const adopted: Scenario = {
    id: 'migrate-all-adopted',
    before: [migrateMaster(1), provision(NEWCOMERS, { master: 1, tenants: base })],
    isAdopted: true,
    call: all(withTenants(most)),
    steps: [
      ...upTo(1, full, (count) => all({ master: count, tenants: base })),
      ...upTo(base, most, (count) => all(withTenants(count))),
    ],
    organizations: NEWCOMERS,
    hasOutside: most > inside,
  };

  return [
    masterOnly('migrate-master-first', 0),
    ...(full > 1 ? [masterOnly('migrate-master', 1)] : []),
    forward('migrate-tenants', most),
    forward('migrate-tenants-interactive', most, ['--no-compile']),
    ...(hasOutside && most === inside ? [forward('migrate-tenants-outside', tenants.length)] : []),
    back('rollback-tenants', most),
    ...(hasOutside && most === inside ? [back('rollback-tenants-outside', tenants.length)] : []),
    make('tenant-provision', most),
    ...(hasOutside && most === inside ? [make('tenant-provision-outside', tenants.length)] : []),
    adopted,
    { ...forward('migrate-tenants-shared', most), isShared: true },
    { ...make('tenant-provision-shared', most), isShared: true },
  ];
}
