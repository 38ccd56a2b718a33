import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type Pool } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { readRuns } from '../../../src/core/ledger/read-runs.ts';
import { readTenants } from '../../../src/core/registry/registry.ts';
import { provisionTenant } from '../../../src/core/tenant/provision.ts';
import type { Database, PoolOptions, ServerSettings } from '../../../src/db/database.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { withClient } from '../../../src/db/transaction.ts';
import { createDatabase, type TestServerDatabase } from '../../support/database.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { closeGate, until, WAIT_AT_GATE } from '../../support/gate.ts';
import { createTable, usualProject } from '../../support/project.ts';

/** What an application has: a database of its own over the fleet's, and provisioning. */
async function application(fleet: TestFleet, options: PoolOptions) {
  const database = await openDatabase(fleet.testDatabase.settings, options);
  onTestFinished(() => database.close());
  const { master, tenants } = fleet.project;
  const provision = (organization: string) =>
    provisionTenant(database, organization, { folder: tenants, masterFolder: master });
  return { database, provision };
}

/** tenantctl's sessions as the server sees them. */
function sessions(fleet: TestFleet): Promise<{ name: string; state: string }[]> {
  return fleet.query(
    `SELECT application_name AS name, state FROM pg_stat_activity
     WHERE datname = current_database() AND application_name LIKE 'tenantctl%' ORDER BY 1`,
  );
}

/** The most of tenantctl's connections that the server saw while `work` was done, beside those of `idle`. */
async function mostConnections(testDatabase: TestServerDatabase, idle: Database, work: () => Promise<void>) {
  const watcher = new Client({ connectionString: testDatabase.url, application_name: 'watcher' });
  await watcher.connect();
  let most = 0;
  const over = new AbortController();
  const watching = (async () => {
    while (!over.signal.aborted) {
      const { rows } = await watcher.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM pg_stat_activity
         WHERE datname = current_database() AND application_name LIKE 'tenantctl%'`,
      );
      most = Math.max(most, (rows[0]?.n ?? 0) - idle.opened());
      await sleep(5);
    }
  })();
  try {
    await work();
  } finally {
    over.abort();
    await watching;
    await watcher.end();
  }
  return most;
}

test('many calls at once stay within maxConnections, are all served, and the first are answered first', async () => {
  const fleet = await createFleet(['org_a']);
  const { provision } = await application(fleet, { maxConnections: 5 });
  const ended: number[] = [];
  const most = await mostConnections(fleet.testDatabase, fleet.database, async () => {
    const calls = Array.from({ length: 60 }, async (_, index) => {
      expect((await provision(`burst_${index}`)).outcome).toBe('provisioned');
      ended.push(index);
    });
    await Promise.race(calls);
    // The others have not all been served up to their last statement by then.
    const seen = await fleet.query(`SELECT FROM public.tenants WHERE status = 'ACTIVE'`);
    expect(seen.length).toBeLessThan(30);
    await Promise.all(calls);
  });
  expect(most).toBeLessThanOrEqual(5);
  expect(ended).toHaveLength(60);
  expect(Math.max(...ended.slice(0, 10))).toBeLessThan(30);
}, 60_000);

test('the calls of a process share one lease, and an idle process holds no transaction', async () => {
  const project = await usualProject({ 'migrations/tenants/3_slow.sql': `-- migrate:up\n${WAIT_AT_GATE}` });
  const fleet = await createFleet([], { project });
  const { database, provision } = await application(fleet, { maxConnections: 5 });
  const gate = await closeGate(fleet.testDatabase);
  const calls = ['org_a', 'org_b', 'org_c'].map(provision);
  await gate.reached(3);
  expect((await readRuns(fleet.database, { limit: 3 })).map(({ outcome }) => outcome)).toEqual([
    'at-work',
    'at-work',
    'at-work',
  ]);
  expect((await sessions(fleet)).filter(({ name }) => name === 'tenantctl lease')).toHaveLength(1);
  await gate.open();
  await Promise.all(calls);
  expect(database.opened()).toBeGreaterThan(0);
  expect((await sessions(fleet)).every(({ state }) => state === 'idle')).toBe(true);

  // A lease that has ended is taken again, and one run's end does not end another's.
  expect((await provision('org_d')).outcome).toBe('provisioned');
  expect((await readRuns(fleet.database, { limit: 1 }))[0]).toMatchObject({ outcome: 'done' });
});

test('calls that fail before they have begun leave no connection in a transaction', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.query(`ALTER DATABASE ${fleet.testDatabase.settings.database} SET statement_timeout = '200ms'`);
  const { database, provision } = await application(fleet, { maxConnections: 2 });
  const locker = new Client({ connectionString: fleet.testDatabase.url });
  await locker.connect();
  onTestFinished(() => locker.end());
  await locker.query('BEGIN; LOCK TABLE tenantctl.runs IN ACCESS EXCLUSIVE MODE');
  for (const id of ['org_1', 'org_2', 'org_3']) {
    await expect(provision(id)).rejects.toMatchObject({ code: 'DATABASE_ERROR', sqlstate: '57014' });
  }
  await locker.query('ROLLBACK');
  expect((await sessions(fleet)).every(({ state }) => state === 'idle')).toBe(true);
  await database.close();
  await until(
    async () => (await sessions(fleet)).length === fleet.database.opened(),
    'its connections to end',
  );
});

test('closing ends the calls that are at work and those that wait, and leaves no connection', async () => {
  const project = await usualProject({ 'migrations/tenants/3_slow.sql': `-- migrate:up\n${WAIT_AT_GATE}` });
  const fleet = await createFleet([], { project });
  const { database, provision } = await application(fleet, { maxConnections: 4 });
  const gate = await closeGate(fleet.testDatabase);
  const calls = Array.from({ length: 12 }, (_, index) =>
    provision(`org_${index}`).catch((error: unknown) => error),
  );
  await gate.reached(2);
  await Promise.all([database.close(), database.close()]);
  for (const error of await Promise.all(calls)) expect(error).toMatchObject({ code: 'DATABASE_CLOSED' });
  await until(
    async () => (await sessions(fleet)).length === fleet.database.opened(),
    'its connections to end',
  );
  expect(await fleet.query(`SELECT FROM public.tenants WHERE status = 'ACTIVE'`)).toEqual([]);
  await gate.open();
  await database.close();
  await expect(database.query('SELECT 1')).rejects.toMatchObject({ code: 'DATABASE_CLOSED' });
  await expect(provision('org_late')).rejects.toMatchObject({ code: 'DATABASE_CLOSED' });

  // What they had begun is finished by the same call.
  const again = await application(fleet, { maxConnections: 3 });
  expect((await again.provision('org_0')).outcome).toBe('provisioned');
});

test('closing answers a call that is about to get an idle connection', async () => {
  const { settings } = await createDatabase();
  const database = await openDatabase({ ...settings, connectTimeoutMs: 0 }, { maxConnections: 3 });
  const call = database.query('SELECT 1').catch((error: unknown) => error);
  await database.close();
  expect(await Promise.race([call, sleep(5_000, 'no answer')])).not.toBe('no answer');
});

test('a pool that is busy is told from a server that is down', async () => {
  const testDatabase = await createDatabase();
  const { settings } = testDatabase;
  const gate = await closeGate(testDatabase);
  const database = await openDatabase(settings, { maxConnections: 2, waitTimeoutMs: 200 });
  onTestFinished(() => database.close());
  const busy = withClient(database, (client) => client.query(WAIT_AT_GATE));
  await gate.reached();
  await expect(database.query('SELECT 1')).rejects.toMatchObject({
    code: 'POOL_EXHAUSTED',
    hint: expect.stringContaining('maxConnections') as string,
  });
  await gate.open();
  await busy;
  expect((await database.query('SELECT 1')).rowCount).toBe(1);
  await expect(openDatabase({ ...settings, port: 1 }, { maxConnections: 2 })).rejects.toMatchObject({
    code: 'CONNECTION_FAILED',
  });
});

test("the application's own queries use the same pool, and a client that it holds is no server that is down", async () => {
  const { settings } = await createDatabase();
  const database = await openDatabase({ ...settings, connectTimeoutMs: 300 }, { maxConnections: 1 });
  const { pool }: { readonly pool: Pool } = database;
  expect((await pool.query<{ one: number }>('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  const client = await pool.connect();
  await expect(database.query('SELECT 1')).rejects.toMatchObject({ code: 'POOL_EXHAUSTED', retryable: true });
  client.release();
  expect((await database.query('SELECT 1')).rowCount).toBe(1);
  await database.close();
});

test('settings of a wrong type are named, all of them, before anything is connected', async () => {
  const { settings } = await createDatabase();
  const wrong: readonly (readonly [unknown, unknown, readonly string[]])[] = [
    [undefined, {}, ['kind', 'maxConnections']],
    [null, null, ['kind', 'maxConnections']],
    [{ ...settings, kind: undefined }, { maxConnections: 2 }, ['kind']],
    [
      { kind: 'server' },
      { maxConnections: 2 },
      ['host', 'port', 'user', 'database', 'ssl', 'connectTimeoutMs'],
    ],
    [{ ...settings, port: 'abc', ssl: true }, { maxConnections: 2 }, ['port', 'ssl']],
    [{ ...settings, password: 5, direct: { host: '' } }, { maxConnections: 2 }, ['password', 'direct.host']],
    [{ kind: 'embedded', directory: undefined }, { maxConnections: 1 }, ['directory', 'lockWaitMs']],
    [settings, { maxConnections: 2, names: {} }, ['names']],
    [settings, { maxConnections: 2, waitTimeoutMs: 0 }, ['waitTimeoutMs']],
  ];
  for (const [given, options, names] of wrong) {
    const error: unknown = await openDatabase(given as ServerSettings, options as PoolOptions).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ name: 'TenantctlError', code: 'USAGE' });
    for (const name of names) expect((error as Error).message).toContain(`${name} must be `);
  }
});

test('a pool without a size, or one too small for what is asked of it, is refused and says which would do', async () => {
  const fleet = await createFleet(['org_a']);
  for (const maxConnections of [0, -1, Number.NaN, 1.5, '5', undefined] as number[]) {
    await expect(openDatabase(fleet.testDatabase.settings, { maxConnections })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('maxConnections') as string,
    });
  }
  const one = await application(fleet, { maxConnections: 1 });
  expect(await readTenants(one.database)).toHaveLength(1);
  await expect(one.provision('org_b')).rejects.toMatchObject({
    code: 'CONCURRENCY_TOO_HIGH',
    hint: 'Open it with maxConnections: 2 or more.',
  });
  expect(await fleet.query(`SELECT FROM public.tenants WHERE clerk_org_id = 'org_b'`)).toEqual([]);
  const two = await application(fleet, { maxConnections: 2 });
  expect((await two.provision('org_c')).outcome).toBe('provisioned');
});

test('calls that need two connections each do not wait for each other', async () => {
  const project = await usualProject({
    'migrations/tenants/3_index.sql':
      '-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY notes_id ON notes (id);',
    'migrations/tenants/4_links.sql': createTable('links'),
  });
  const fleet = await createFleet([], { project });
  const { provision } = await application(fleet, { maxConnections: 3 });
  const ids = ['org_a', 'org_b', 'org_c', 'org_d', 'org_e'];
  const results = await Promise.all(ids.map(provision));
  expect(results.map(({ outcome }) => outcome)).toEqual(ids.map(() => 'provisioned'));
  const two = await application(fleet, { maxConnections: 2 });
  await expect(two.provision('org_f')).rejects.toMatchObject({
    code: 'CONCURRENCY_TOO_HIGH',
    hint: 'Open it with maxConnections: 3 or more.',
  });
});
