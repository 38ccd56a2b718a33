import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet, fleetOn, resultOf, type TestFleet } from '../../support/fleet.ts';
import { closeGate, until, WAIT_AT_GATE } from '../../support/gate.ts';
import { createTable } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

const EIGHT = Array.from({ length: 8 }, (_, index) => `org_${index}`);
const SLOW = ['3_slow.sql', `-- migrate:up\n${WAIT_AT_GATE}\nCREATE TABLE slow ();`] as const;
const NAPS = ['3_naps.sql', '-- migrate:up\nSELECT pg_sleep(0.4);\nCREATE TABLE naps ();'] as const;

/** While the work goes on: the most tenants that are locked at once, and how many connections there were. */
async function watched<T>(
  fleet: TestFleet,
  work: Promise<T>,
): Promise<{ result: T; most: number; connections: number }> {
  const pids = new Set<number>();
  let most = 0;
  const done = work.then(() => true);
  while (!(await Promise.race([done, sleep(10, false)]))) {
    const rows = await fleet.query<{ pid: number; busy: boolean }>(
      // Whatever else is asked meanwhile is a transaction, too, and locks no tenant.
      `SELECT pid, EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory') AS busy FROM pg_stat_activity a
       WHERE datname = current_database() AND application_name = 'tenantctl'`,
    );
    for (const { pid } of rows) pids.add(pid);
    most = Math.max(most, rows.filter((row) => row.busy).length);
  }
  return { result: await work, most, connections: pids.size };
}

test('at most so many transactions are open at once, all on the same few connections', async () => {
  const fleet = await createFleet(EIGHT, { maxConnections: 6 });
  await fleet.add(...NAPS);
  const { result, most, connections } = await watched(fleet, fleet.migrate({ concurrency: 3 }));
  expect(result.totals).toMatchObject({ changed: 8 });
  expect(most).toBe(3);
  expect(connections).toBeLessThanOrEqual(5);
});

test('the first of a plan goes alone: a migration that fails for everybody is tried once before it is tried by all', async () => {
  const fleet = await createFleet(EIGHT.slice(0, 4));
  await fleet.add(...SLOW);
  const gate = await closeGate(fleet.testDatabase);
  const run = fleet.migrate({ concurrency: 4 });
  await gate.reached();
  await sleep(150);
  expect(await gate.waiting()).toBe(1);
  await gate.open();
  expect((await run).totals).toMatchObject({ changed: 4 });
});

test('a foreign key to a shared table makes its plan go one tenant at a time', async () => {
  const fleet = await createFleet(EIGHT.slice(0, 5));
  await fleet.query('CREATE TABLE public.areas (id int PRIMARY KEY)');
  await fleet.add(
    '3_area.sql',
    '-- migrate:up\nSELECT pg_sleep(0.05);\nALTER TABLE notes ADD area int REFERENCES areas;\nSELECT pg_sleep(0.05);',
  );
  const { result, most } = await watched(fleet, fleet.migrate({ concurrency: 4 }));
  expect(result.totals).toMatchObject({ changed: 5, failed: 0 });
  expect(most).toBe(1);
});

test('a concurrency that the server cannot carry is refused with the figures, and nothing is begun', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_links.sql', createTable('links'));
  const refusal = await refusalOf(fleet.migrate({ concurrency: 5_000 }));
  expect(refusal.code).toBe('CONCURRENCY_TOO_HIGH');
  expect(refusal.message).toMatch(/5000 needs 5000 connections; \d+ of the server's \d+ are free/);
  expect(refusal.hint).toMatch(/--concurrency \d+ or less/);
  expect(await fleet.tables('org_a')).not.toContain('links');
});

test("the database's own limit counts, and so does the size of the pool", async () => {
  const fleet = await createFleet(['org_a'], { maxConnections: 4 });
  await fleet.add('3_links.sql', createTable('links'));
  expect((await refusalOf(fleet.migrate({ concurrency: 4 }))).message).toContain('a pool of 6 connections');
  const [{ name }] = (await fleet.query('SELECT current_database() AS name')) as [{ name: string }];
  // One of these is the test's own.
  await fleet.query(`ALTER DATABASE ${name} CONNECTION LIMIT 3`);
  expect((await refusalOf(fleet.migrate({ concurrency: 3 }))).message).toMatch(/; 2 of the server's/);
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 1 });
});

test('tenants that an old release provisions while the run works are brought up too', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add(...SLOW);
  const gate = await closeGate(fleet.testDatabase);
  const run = fleet.migrate();
  await gate.reached();
  const schema = schemaNameFor('org_late');
  await fleet.query(`CREATE SCHEMA ${schema}`);
  await fleet.query(
    `INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ('org_late', $1, 'ACTIVE')`,
    [schema],
  );
  await gate.open();
  const result = await run;
  expect(result.totals).toMatchObject({ selected: 2, changed: 2 });
  expect(await fleet.tables('org_late')).toEqual(['notes', 'slow', 'tags']);
});

test('two runs at once apply everything exactly once, and both report success', async () => {
  const fleet = await createFleet(EIGHT, { maxConnections: 5 });
  const other = fleetOn(fleet.testDatabase, await fleet.testDatabase.open(5), fleet.project);
  await fleet.add(...NAPS);
  await fleet.add('4_links.sql', createTable('links'));
  const [first, second] = await Promise.all([
    fleet.migrate({ concurrency: 2 }),
    other.migrate({ concurrency: 2 }),
  ]);
  expect(first.totals.failed + second.totals.failed).toBe(0);
  expect(first.totals.changed + second.totals.changed).toBe(8);
  expect(first.totals.upToDate + second.totals.upToDate).toBe(8);
  for (const id of EIGHT) {
    expect((await fleet.history(id)).slice(2)).toEqual(['3_naps.sql@2', '4_links.sql@2']);
  }
});

test('who waits too long for another run says so of that tenant, and has done the others', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const other = fleetOn(fleet.testDatabase, await fleet.testDatabase.open(), fleet.project);
  await fleet.add(...SLOW);
  const gate = await closeGate(fleet.testDatabase);
  const first = fleet.migrate({ tenants: ['org_a'] });
  await gate.reached();
  const second = other.migrate({ lockWaitMs: 200 });
  await gate.reached(2);
  await sleep(100);
  await gate.open();
  await first;
  expect(resultOf(await second, 'org_b').outcome).toBe('migrated');

  await fleet.add('4_slow.sql', SLOW[1].replace('slow ()', 'slow4 ()'));
  const again = await closeGate(fleet.testDatabase);
  const third = fleet.migrate({ tenants: ['org_a'] });
  await again.reached();
  const refused = await other.migrate({ tenants: ['org_a'], lockWaitMs: 100 });
  expect(resultOf(refused, 'org_a').error).toMatchObject({ code: 'LOCK_TIMEOUT', tenant: 'org_a' });
  await again.open();
  await third;
});

test('told to stop, those at work finish, the others are skipped, and the result says so', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  await fleet.add(...SLOW);
  const gate = await closeGate(fleet.testDatabase);
  const stop = new AbortController();
  const run = fleet.migrate({ signal: stop.signal });
  await gate.reached();
  stop.abort();
  await gate.open();
  const result = await run;
  expect(result.interrupted).toBe(true);
  expect(result.tenants.map((tenant) => tenant.outcome)).toEqual(['migrated', 'skipped', 'skipped']);
  expect(resultOf(result, 'org_b').reason).toContain('interrupted');
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 2, upToDate: 1 });
});

test('a tenant that is suspended while it waits its turn is left alone', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add(...SLOW);
  const gate = await closeGate(fleet.testDatabase);
  const run = fleet.migrate();
  await gate.reached();
  await fleet.query(`UPDATE tenants SET status = 'SUSPENDED' WHERE clerk_org_id = 'org_b'`);
  await gate.open();
  expect(resultOf(await run, 'org_b')).toMatchObject({
    outcome: 'skipped',
    reason: 'its status is SUSPENDED now',
  });
});

test('every transaction has the settings by which the server notices a dead client', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add(
    '3_settings.sql',
    `-- migrate:up
CREATE TABLE settings AS SELECT current_setting('idle_in_transaction_session_timeout') AS idle,
  current_setting('client_connection_check_interval', true) AS client, current_setting('lock_timeout') AS lock,
  current_setting('tcp_keepalives_idle') AS keepalive, current_setting('tcp_user_timeout') AS unacknowledged;`,
  );
  await fleet.migrate({ lockTimeoutMs: 1234 });
  const [seen] = await fleet.query(`SELECT * FROM ${schemaNameFor('org_a')}.settings`);
  const client = 'client_connection_check_interval' in fleet.database.deadClientSettings ? '2s' : null;
  expect(seen).toEqual({ idle: '50s', client, lock: '1234ms', keepalive: '10', unacknowledged: '40000' });
  await until(
    async () =>
      (
        await fleet.query(
          `SELECT FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        )
      ).length === 0,
    'locks to go',
  );
});

test('a lock that somebody else holds on a table is waited for no longer than allowed', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_alter.sql', '-- migrate:up\nDO $$ BEGIN ALTER TABLE notes ADD x int; END $$;');
  const holder = await fleet.testDatabase.open(1);
  const client = await holder.connect('work');
  await client.query(`BEGIN; LOCK TABLE ${schemaNameFor('org_a')}.notes`);
  const { error } = resultOf(await fleet.migrate({ lockTimeoutMs: 100, retries: 0 }), 'org_a');
  await client.query('ROLLBACK');
  holder.giveBack(client, false, 0);
  expect(error).toMatchObject({ code: 'MIGRATION_FAILED', sqlstate: '55P03' });
  expect(error?.details).toEqual([
    expect.stringContaining('CONTEXT: SQL statement "ALTER TABLE notes'),
    'limit for a lock: 100 ms (LOCK_TIMEOUT_MS, --lock-timeout)',
  ]);
  expect(error?.hint).toContain('LOCK_TIMEOUT_MS');
  await fleet.add('3_alter.sql', '-- migrate:up\nSELECT pg_sleep(5);');
  const slow = resultOf(await fleet.migrate({ statementTimeoutMs: 100, retries: 0 }), 'org_a');
  expect(slow.error?.details).toEqual([
    'limit for a statement: 100 ms (STATEMENT_TIMEOUT_MS, --statement-timeout)',
  ]);
});

test('what other processes have done is looked up, and no table is read as a whole for it', async () => {
  const fleet = await createFleet(EIGHT.slice(0, 2));
  const [seen] = await fleet.query(
    `WITH looked AS MATERIALIZED (SELECT count(digest)::int AS stamped FROM tenantctl.peers($1))
     SELECT stamped, pg_stat_get_xact_numscans('public.tenants'::regclass)::int AS registry,
            pg_stat_get_xact_numscans('tenantctl.stamps'::regclass)::int AS stamps FROM looked`,
    [EIGHT.slice(0, 2).map(schemaNameFor)],
  );
  expect(seen).toEqual({ stamped: 2, registry: 0, stamps: 0 });
});
