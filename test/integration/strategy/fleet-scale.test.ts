import { afterAll, beforeAll, expect, test } from 'vitest';
import { countTraffic } from '../../../bench/wire/wire.ts';
import { migrateTenants, type MigrateTenantsOptions } from '../../../src/core/commands/migrate-tenants.ts';
import { fleetStatus } from '../../../src/core/fleet/status.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { buildBigFleet } from '../../support/big-fleet.ts';
import { fleetOn, type TestFleet } from '../../support/fleet.ts';
import { startPostgres, type PostgresServer } from '../../support/postgres-programs.ts';
import { INIT_SQL } from '../../support/init-sql.ts';
import { standingFleet, type StandingFleet } from '../../support/standing-fleet.ts';
import { watchBackends, type BackendsSeen } from '../../support/watch-backends.ts';
import type { Database } from '../../../src/db/database.ts';

/*
 * A fleet with more tables than one transaction may lock on a server as it comes: 64 locks for each of 100 connections.
 * The tests are one story: each goes on where the last has ended.
 */

const SIZE = Number(process.env.TEST_FLEET_SIZE ?? 2_000);

/** Far more than a few tens of tenants need, far less than the fleet's tables. */
const MOST_LOCKS = 300;

/** What a backend serves before it makes way for another, and the turn that it may be in the middle of. */
const TENANTS_PER_BACKEND = 1_000 + 50;

/** So few that the fleet's tenants do not go round: a backend that has served enough must be replaced. */
const CONNECTIONS = 4;

/** A transaction over the whole fleet would last for nearly all of the run. One query that only looks is allowed for. */
const longestOf = ({ looks }: BackendsSeen) => Math.max(looks / 4, 33);

const FILES = {
  'package.json': '{"type":"module"}',
  'migrations/master/1_init.sql': INIT_SQL,
  'migrations/tenants/1_notes.sql':
    '-- migrate:up\nCREATE TABLE notes (id int PRIMARY KEY);\n-- migrate:down\nDROP TABLE notes;\n',
};

/** The default is worked out when the column is added: each tenant remembers who served it. */
const ALTER = `-- migrate:up
ALTER TABLE notes ADD COLUMN served_by int DEFAULT pg_backend_pid();
-- migrate:down
ALTER TABLE notes DROP COLUMN served_by;
`;

let server: PostgresServer | undefined;
let standing: StandingFleet | undefined;
let small: StandingFleet | undefined;
let database: Database | undefined;

beforeAll(async () => {
  server = await startPostgres({
    settings: ['max_locks_per_transaction=64'],
  });
  standing = await standingFleet([], FILES, server.url);
  small = await standingFleet(['org_1', 'org_2', 'org_3'], FILES, server.url);
  database = await openDatabase(standing.fleet.testDatabase.settings, { maxConnections: CONNECTIONS });
  await buildBigFleet(standing.fleet.testDatabase.url, SIZE, { name: '1_notes.sql', table: 'notes' });
}, SIZE * 60);

afterAll(async () => {
  await database?.close();
  await small?.close();
  await standing?.close();
  await server?.stop();
}, 120_000);

function big(): TestFleet {
  if (standing === undefined || database === undefined) throw new Error('The fleet could not be built.');
  return fleetOn(standing.fleet.testDatabase, database, standing.fleet.project);
}

/** Does it while the backends are watched: none may hold too much, or for too long. */
async function watched<T>(work: (fleet: TestFleet) => Promise<T>): Promise<{ value: T; seen: BackendsSeen }> {
  const { value, seen } = await watchBackends(big().testDatabase.url, () => work(big()));
  expect(seen.mostLocks, 'locks that a backend held').toBeLessThanOrEqual(MOST_LOCKS);
  expect(seen.longestTransaction, 'looks at which one transaction was open').toBeLessThan(longestOf(seen));
  return { value, seen };
}

/** So many backends it takes at least where none serves more than it may. */
const backendsFor = (tenants: number) => Math.ceil(tenants / TENANTS_PER_BACKEND);

async function trusted(): Promise<number> {
  const [row] = await big().query<{ n: number }>('SELECT count(*)::int AS n FROM tenantctl.trusted_stamps');
  return row?.n ?? 0;
}

/** What was told beside the result: of a fleet that is as it ought to be, nothing. */
function listener(): { told: string[]; observe: MigrateTenantsOptions['observe'] } {
  const told: string[] = [];
  return {
    told,
    observe(event) {
      if (event.type === 'note' || event.type === 'warning') told.push(event.message);
    },
  };
}

const LONG = SIZE * 60;

test(
  'the first run stamps every tenant',
  async () => {
    const { told, observe } = listener();
    const { value, seen } = await watched((fleet) => fleet.migrate({ concurrency: 2, observe }));
    expect(value.totals).toMatchObject({ selected: SIZE, upToDate: SIZE, failed: 0 });
    expect(told).toEqual([]);
    expect(await trusted()).toBe(SIZE);
    // Each is read once and stamped once.
    expect(seen.pids.size).toBeGreaterThanOrEqual(backendsFor(2 * SIZE));
  },
  LONG,
);

test(
  'a run with nothing to do, and status, send as much as for three tenants',
  async () => {
    const { value: run } = await watched((fleet) => fleet.migrate());
    expect(run.totals).toMatchObject({ selected: SIZE, upToDate: SIZE, failed: 0 });
    const { value: status } = await watched((fleet) => fleet.status());
    expect(status.tenants).toMatchObject({ total: SIZE, upToDate: SIZE, behind: 0, failed: 0 });
    expect(status.states).toEqual([]);

    const few = small?.fleet;
    if (few === undefined) throw new Error('The small fleet could not be built.');
    for (const ask of [
      (asked: Database, { project }: TestFleet) =>
        migrateTenants(asked, { folder: project.tenants, masterFolder: project.master }),
      (asked: Database, { project }: TestFleet) =>
        fleetStatus(asked, { masterFolder: project.master, tenantFolder: project.tenants }),
    ]) {
      const traffic = (fleet: TestFleet) =>
        countTraffic(fleet.testDatabase.url, async (through) => {
          const port = Number(new URL(through).port);
          const asked = await openDatabase(
            { ...fleet.testDatabase.settings, host: '127.0.0.1', port },
            { maxConnections: CONNECTIONS },
          );
          await ask(asked, fleet);
          await asked.close();
        });
      expect(await traffic(big())).toEqual(await traffic(few));
    }
  },
  LONG,
);

test(
  'what is asked to verify reads every history, and finds every stamp right',
  async () => {
    const { told, observe } = listener();
    const { value: run } = await watched((fleet) => fleet.migrate({ verify: true, observe }));
    expect(run.totals).toMatchObject({ selected: SIZE, upToDate: SIZE, failed: 0 });
    const { value: status } = await watched((fleet) => fleet.status({ verify: true, observe }));
    expect(status.tenants).toMatchObject({ total: SIZE, upToDate: SIZE, behind: 0, failed: 0 });
    expect(told).toEqual([]);
  },
  LONG,
);

test(
  'a change of every tenant is made by backends that make way for others, and every stamp says so',
  async () => {
    await standing?.fleet.add('2_served_by.sql', ALTER);
    const { value } = await watched((fleet) => fleet.migrate({ concurrency: 1 }));
    expect(value.totals).toMatchObject({ selected: SIZE, changed: SIZE, failed: 0 });
    expect(await trusted()).toBe(SIZE);
    const served = await big().query<{ tenants: number }>(
      `SELECT count(*)::int AS tenants FROM pg_attribute
       WHERE attname = 'served_by' AND NOT attisdropped GROUP BY attmissingval::text`,
    );
    expect(served.reduce((sum, { tenants }) => sum + tenants, 0)).toBe(SIZE);
    expect(Math.max(...served.map(({ tenants }) => tenants))).toBeLessThanOrEqual(TENANTS_PER_BACKEND);
    expect(served.length).toBeGreaterThanOrEqual(backendsFor(SIZE));
    expect((await big().migrate()).totals).toMatchObject({ upToDate: SIZE, changed: 0 });
  },
  LONG,
);

test(
  'a rollback of every tenant takes it back, and every stamp says so',
  async () => {
    const { value } = await watched((fleet) => fleet.rollback());
    expect(value.totals).toMatchObject({ selected: SIZE, changed: SIZE, failed: 0 });
    expect(await trusted()).toBe(SIZE);
    const [left] = await big().query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_attribute WHERE attname = 'served_by' AND NOT attisdropped`,
    );
    expect(left?.n).toBe(0);
    const { value: status } = await watched((fleet) => fleet.status());
    expect(status.tenants).toMatchObject({ total: SIZE, upToDate: 0, behind: SIZE });
  },
  LONG,
);
