import { createCalls, upTo, type Call, type Calls } from './calls.ts';
import type { Migrations } from './projects.ts';
import { verbScenarios } from './verb-scenarios.ts';
import type { Scenario } from './scenario.ts';

/** The first two show what the others are sent. */
const FLEET = ['org_a', 'org_b', 'org_c', 'org_d', 'org_e'];
const NEWCOMERS = ['new_a', 'new_b', 'new_c'];
/** CREATE INDEX CONCURRENTLY waits for all others, so tenants take turns: use fewer. */
const TAKING_TURNS = 3;

/** The scenarios for these migrations, without those that have nothing to do. */
export function scenariosFor(migrations: Migrations): Scenario[] {
  const calls = createCalls(migrations);
  const { full, most, every } = calls;
  return [
    masterOnly(calls, 'migrate-master-first', 0),
    ...(full > 1 ? [masterOnly(calls, 'migrate-master', 1)] : []),
    forward(calls, 'migrate-tenants', most),
    forward(calls, 'migrate-tenants-interactive', most, ['--no-compile']),
    back(calls, 'rollback-tenants', most),
    make(calls, 'tenant-provision', most),
    adopted(calls),
    suspension(calls),
    resumption(calls, most),
    renaming(calls, 'tenant-rename'),
    renaming(calls, 'tenant-rename-with-schema', '--with-schema'),
    marking(calls, most),
    grant(calls),
    revocation(calls),
    ...(every > most
      ? [
          forward(calls, 'migrate-tenants-outside', every),
          back(calls, 'rollback-tenants-outside', every),
          make(calls, 'tenant-provision-outside', every),
        ]
      : []),
    { ...forward(calls, 'migrate-tenants-shared', most), isShared: true },
    { ...make(calls, 'tenant-provision-shared', most), isShared: true },
    ...verbScenarios(calls),
  ];
}

function masterOnly({ full, migrateMaster }: Calls, id: string, from: number): Scenario {
  return {
    id,
    before: from === 0 ? [] : [migrateMaster(from)],
    call: migrateMaster(full),
    steps: upTo(from + 1, full - 1, migrateMaster),
    organizations: [],
    hasOutside: false,
  };
}

function forward(calls: Calls, id: string, last: number, flags: readonly string[] = []): Scenario {
  const organizations = some(FLEET, calls, last);
  return {
    id,
    before: fleetOf(calls, organizations),
    call: calls.migrateTenants(last, ...flags),
    steps: upTo(calls.base + 1, last - 1, calls.migrateTenants),
    organizations,
    hasOutside: calls.hasOutside(last),
  };
}

function back(calls: Calls, id: string, last: number): Scenario {
  const organizations = some(FLEET, calls, last);
  return {
    id,
    before: [...fleetOf(calls, organizations), calls.migrateTenants(last)],
    call: calls.rollbackTenants(calls.base, last),
    steps: upTo(calls.base + 1, last - 1, (to) => calls.rollbackTenants(to, last)),
    organizations,
    hasOutside: calls.hasOutside(last),
  };
}

function make(calls: Calls, id: string, last: number): Scenario {
  const organizations = some(NEWCOMERS, calls, last);
  return {
    id,
    before: [calls.migrateMaster(calls.full)],
    call: calls.provision(organizations, last),
    steps: upTo(0, last - 1, (count) => calls.provision(organizations, count)),
    organizations,
    hasOutside: calls.hasOutside(last),
  };
}

function suspension(calls: Calls): Scenario {
  return {
    id: 'tenant-suspend',
    before: fleetOf(calls, FLEET),
    call: calls.suspend(FLEET),
    steps: [],
    organizations: FLEET,
    hasOutside: false,
  };
}

/** Migrates first, in as many transactions as there are tenants. */
function resumption(calls: Calls, last: number): Scenario {
  const organizations = some(FLEET, calls, last);
  return {
    id: 'tenant-resume',
    before: [...fleetOf(calls, organizations), calls.suspend(organizations)],
    call: calls.resume(organizations, last),
    steps: upTo(calls.base + 1, last - 1, (count) => calls.migrateTenants(count, '--include', 'suspended')),
    organizations,
    hasOutside: calls.hasOutside(last),
  };
}

function renaming(calls: Calls, id: string, ...flags: string[]): Scenario {
  const [first = '', ...others] = FLEET;
  const renamed = 'org_renamed';
  return {
    id,
    before: fleetOf(calls, FLEET),
    call: calls.rename(first, renamed, ...flags),
    steps: [],
    organizations: [...others, renamed],
    hasOutside: false,
  };
}

function marking(calls: Calls, last: number): Scenario {
  return {
    id: 'history-mark',
    before: fleetOf(calls, FLEET),
    call: calls.mark(last),
    steps: [],
    organizations: FLEET,
    hasOutside: false,
  };
}

function grant(calls: Calls): Scenario {
  return {
    id: 'grant-application',
    before: fleetOf(calls, FLEET),
    call: calls.grant(),
    steps: [],
    organizations: FLEET,
    hasOutside: false,
  };
}

function revocation(calls: Calls): Scenario {
  return {
    ...grant(calls),
    id: 'grant-application-revoke',
    before: [...fleetOf(calls, FLEET), calls.grant()],
    call: calls.grant('--revoke'),
  };
}

function adopted({ full, base, most, hasOutside, migrateMaster, migrateAll, provision }: Calls): Scenario {
  return {
    id: 'migrate-all-adopted',
    before: [migrateMaster(1), provision(NEWCOMERS, base, 1)],
    sql: WITHOUT_TENANTCTL,
    call: migrateAll(full, most),
    steps: [
      ...upTo(1, full, (count) => migrateAll(count, base)),
      ...upTo(base + 1, most - 1, (count) => migrateAll(full, count)),
    ],
    organizations: NEWCOMERS,
    hasOutside: hasOutside(most),
  };
}

/** Leaves what Knex leaves: the histories, without triggers. */
const WITHOUT_TENANTCTL = `DO $$ DECLARE routine regprocedure; BEGIN
  DROP SCHEMA tenantctl CASCADE;
  FOR routine IN SELECT oid FROM pg_proc WHERE proname LIKE 'tenantctl\\_unstamp%' LOOP
    EXECUTE format('DROP FUNCTION %s CASCADE', routine);
  END LOOP;
END $$`;

function some(organizations: readonly string[], calls: Calls, last: number): readonly string[] {
  return calls.hasOutside(last) ? organizations.slice(0, TAKING_TURNS) : organizations;
}

function fleetOf({ full, base, migrateMaster, provision }: Calls, organizations: readonly string[]): Call[] {
  return [migrateMaster(full), provision(organizations, base)];
}
