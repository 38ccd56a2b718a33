import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { REMEMBERED_FAILURES } from '../../support/remember.ts';
import { expect, onTestFinished, test } from 'vitest';
import { tenantTarget } from '../../../src/core/target/target.ts';
import { lookUnderLock } from '../../../src/core/apply/under-lock.ts';
import type { RunEvent } from '../../../src/core/report/event.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { cuttingProxy } from '../../support/cutting-proxy.ts';
import { createFleet, fleetOn, resultOf, type TestFleet } from '../../support/fleet.ts';
import { closeGate, until, WAIT_AT_GATE, WAITING_AT_GATE } from '../../support/gate.ts';
import { holdLock } from '../../support/hold-lock.ts';
import { createTable, knexMigration } from '../../support/project.ts';
import { timesApplied, watchWays, type Way } from '../../support/ways.ts';
import { DEFAULT_NAMES } from '../../../src/names.ts';

/** Nine tenants: one or two show what is sent, and with concurrency 1 there are always two strings on the way to the others. */
const ORGANIZATIONS = Array.from({ length: 9 }, (_, nth) => `org_${nth}`);
/** The one to which something happens, with others before and behind it. */
const ODD = 'org_4';
const OTHERS = ORGANIZATIONS.filter((organization) => organization !== ODD);
const ODD_SCHEMA = schemaNameFor(ODD);

interface Watched {
  readonly fleet: TestFleet;
  readonly ways: () => Promise<ReadonlyMap<string, Way>>;
}

async function nine(): Promise<Watched> {
  const fleet = await createFleet(ORGANIZATIONS);
  return { fleet, ways: await watchWays(fleet) };
}

/** SQL that is done for the odd one only, on the server, and so is the same text for all. */
const FOR_THE_ODD_ONE = (statement: string) =>
  `DO $odd$ BEGIN IF current_schema() = '${ODD_SCHEMA}' THEN ${statement} END IF; END $odd$;`;

const LINKS = ['3_links.sql', createTable('links')] as const;
/** Waits at the gate with the odd one. */
const GATED = [
  '3_links.sql',
  `-- migrate:up\n${FOR_THE_ODD_ONE('PERFORM pg_advisory_xact_lock_shared(4711);')}\nCREATE TABLE links (id int);\n-- migrate:down\nDROP TABLE links;`,
] as const;
/** Every tenant waits at the gate, the first first. */
const ALL_GATED = ['3_links.sql', `-- migrate:up\n${WAIT_AT_GATE}\nCREATE TABLE links (id int);`] as const;

/**
 * All but the odd one are done once each: the first one interactively, or the first two if it is code, which this process
 * may have loaded before it was written; the others in a string.
 */
async function expectOthersDone({ fleet, ways }: Watched, migration: string): Promise<void> {
  const [seen, times] = [await ways(), await timesApplied(fleet, migration)];
  const found = OTHERS.map((organization) => [organization, times.get(organization), seen.get(organization)]);
  const first = migration.endsWith('.sql') ? ['org_0'] : ['org_0', 'org_1'];
  expect(found).toEqual(
    OTHERS.map((organization) => [
      organization,
      1,
      first.includes(organization) ? 'interactively' : 'in one string',
    ]),
  );
  for (const organization of OTHERS) expect(await fleet.history(organization)).toHaveLength(3);
}

async function expectSessionsClean(fleet: TestFleet): Promise<void> {
  const clients = await Promise.all(
    (['work', 'work', 'work', 'work', 'query', 'lease'] as const).map((purpose) =>
      fleet.database.connect(purpose),
    ),
  );
  try {
    for (const client of clients) {
      const { rows } = await client.query(
        `SELECT current_setting('search_path') AS path, current_user = session_user AS self, current_setting('lock_timeout') AS lock,
                current_setting('idle_in_transaction_session_timeout') AS idle, current_setting('work_mem') AS memory,
                coalesce(current_setting('tenantctl.writer', true), '') AS writer, pg_my_temp_schema()::int AS temp_schema,
                (SELECT count(*)::int FROM pg_class WHERE relnamespace = pg_my_temp_schema()) AS temp,
                (SELECT count(*)::int FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory') AS locks`,
      );
      expect(rows[0]).toMatchObject({
        path: '"$user", public',
        self: true,
        lock: '0',
        idle: '0',
        memory: '4MB',
        writer: '',
        temp: 0,
        locks: 0,
      });
    }
  } finally {
    for (const client of clients) fleet.database.giveBack(client, false, 0);
  }
}

const LEAVES_THINGS = `CREATE TEMP TABLE scratch AS SELECT 1 AS id;
SELECT pg_advisory_lock(99);
SET search_path TO public;
SET work_mem = '77MB';
SET lock_timeout = '77s';
SET ROLE pg_monitor;
SET search_path TO pg_catalog;`;

test.each<[sentence: string, prepare: string, file: string, text: string, error: object]>([
  [
    'its rows are not unique',
    'INSERT INTO tags VALUES (1), (2); ALTER TABLE tags ADD n int DEFAULT 1',
    '3_test.js',
    knexMigration(
      `await knex.schema.createTable('links', (table) => table.increments()); await knex.raw('ALTER TABLE tags ADD COLUMN IF NOT EXISTS n int'); await knex.schema.alterTable('tags', (table) => table.unique(['n'], { indexName: 'n_once' }));`,
    ),
    {
      sqlstate: '23505',
      statement: 'alter table "tags" add constraint "n_once" unique ("n")',
      message: 'could not create unique index "n_once"',
    },
  ],
  [
    'it lacks a table',
    'DROP TABLE tags',
    '3_test.js',
    knexMigration(`await knex.raw('CREATE TABLE links ()'); await knex.raw('ALTER TABLE tags ADD x int');`),
    { sqlstate: '42P01', statement: 'ALTER TABLE tags ADD x int', message: 'relation "tags" does not exist' },
  ],
  [
    'its rows break a constraint',
    'INSERT INTO notes VALUES (-1)',
    '3_test.sql',
    '-- migrate:up\nCREATE TABLE links ();\nALTER TABLE notes ADD CHECK (id > 0);',
    { sqlstate: '23514', statement: 'ALTER TABLE notes ADD CHECK (id > 0)' },
  ],
  [
    'its rows break a constraint at the COMMIT',
    'INSERT INTO notes VALUES (-1)',
    '3_test.sql',
    '-- migrate:up\nCREATE TABLE links (id int REFERENCES tags DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO links SELECT id FROM notes;',
    { sqlstate: '23503', message: expect.stringContaining('violates foreign key constraint') },
  ],
  [
    'a function of its own has a syntax error',
    `CREATE FUNCTION own() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'NO SQL'; END $$`,
    '3_test.sql',
    `-- migrate:up\nCREATE TABLE links ();\nDO $$ BEGIN IF to_regproc('own') IS NOT NULL THEN PERFORM own(); END IF; END $$;`,
    { sqlstate: '42601', message: 'syntax error at or near "NO"' },
  ],
  [
    'it divides by zero after it has locked, set and created this and that',
    'INSERT INTO notes VALUES (-1)',
    '3_test.sql',
    `-- migrate:up\nCREATE TEMP TABLE scratch ();\nSELECT pg_advisory_lock(99);\nSET work_mem = '77MB';\nSELECT 1 / (count(*) - 1) FROM notes;`,
    { sqlstate: '22012', message: 'division by zero' },
  ],
])(
  'where %s, that tenant fails as it would alone, nothing of it is left, and all others are done',
  async (_, prepare, file, text, error) => {
    for (const concurrency of [1, 4]) {
      const watched = await nine();
      const { fleet } = watched;
      await fleet.query(`SET search_path TO ${ODD_SCHEMA}; ${prepare}`);
      const before = await fleet.tables(ODD);
      await fleet.add(file, text);
      const result = await fleet.migrate({ concurrency });
      expect(result.totals).toEqual({ selected: 9, upToDate: 0, changed: 8, failed: 1, skipped: 0 });
      expect(resultOf(result, ODD)).toMatchObject({ outcome: 'failed', names: [] });
      expect(resultOf(result, ODD).error).toMatchObject({ migration: file, tenant: ODD, ...error });
      expect(await fleet.tables(ODD)).toEqual(before);
      expect(await fleet.history(ODD)).toHaveLength(2);
      expect(await fleet.query(`SELECT schema_name FROM (${REMEMBERED_FAILURES}) f`)).toEqual([
        { schema_name: ODD_SCHEMA },
      ]);
      const times = await timesApplied(fleet, file);
      expect(OTHERS.map((organization) => times.get(organization))).toEqual(OTHERS.map(() => 1));
      expect(times.get(ODD)).toBe(0);
      if ((error as { sqlstate: string }).sqlstate !== '42601') await expectOthersDone(watched, file);
      await expectSessionsClean(fleet);
    }
  },
);

test('a tenant whose failure was kept has none any more when a string has brought it up to date', async () => {
  const watched = await nine();
  const { fleet } = watched;
  await fleet.query(`INSERT INTO ${ODD_SCHEMA}.notes VALUES (-1)`);
  await fleet.add('3_check.sql', '-- migrate:up\nALTER TABLE notes ADD CHECK (id > 0);');
  await fleet.migrate();
  await fleet.query(`DELETE FROM ${ODD_SCHEMA}.notes`);
  for (const organization of ORGANIZATIONS) {
    await fleet.query(
      `DELETE FROM ${schemaNameFor(organization)}.knex_migrations_tenant WHERE name = '3_check.sql'`,
    );
  }
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 9 });
  expect((await watched.ways()).get(ODD)).toBe('in one string');
  expect(await fleet.query('SELECT * FROM tenantctl.tenant_failures')).toEqual([]);
});

test.each<[sentence: string, change: string, result: object, history: string[]]>([
  [
    'Knex has migrated meanwhile',
    `CREATE TABLE links (id int); INSERT INTO knex_migrations_tenant (name, batch, migration_time) VALUES ('3_links.sql', 2, now())`,
    { outcome: 'up-to-date', names: [] },
    ['1', '1', '3_links.sql@2'],
  ],
  [
    'Knex has rolled back meanwhile',
    `DROP TABLE tags; DELETE FROM knex_migrations_tenant WHERE name LIKE '%tags.sql'`,
    { outcome: 'migrated', names: ['20250101000002_tags.sql', '3_links.sql'] },
    ['1', '20250101000002_tags.sql@2', '3_links.sql@2'],
  ],
  [
    'Knex has changed the batches meanwhile',
    `UPDATE knex_migrations_tenant SET batch = 7`,
    { outcome: 'migrated', names: ['3_links.sql'], batch: 8 },
    ['7', '7', '3_links.sql@8'],
  ],
  [
    'Knex has its own lock',
    `UPDATE knex_migrations_tenant_lock SET is_locked = 1`,
    { outcome: 'failed', error: expect.objectContaining({ code: 'KNEX_LOCKED', tenant: ODD }) },
    ['1', '1'],
  ],
  [
    'was suspended',
    `UPDATE public.tenants SET status = 'SUSPENDED' WHERE schema_name = current_schema()`,
    { outcome: 'skipped', reason: 'its status is SUSPENDED now' },
    ['1', '1'],
  ],
  [
    'has gone from the registry',
    `DELETE FROM public.tenants WHERE schema_name = current_schema()`,
    { outcome: 'skipped', reason: 'its status is gone from the registry now' },
    ['1', '1'],
  ],
  [
    'has an intent by now',
    `INSERT INTO tenantctl.intents (tenant, migration, direction) SELECT id, '3_links.sql', 'up' FROM tenantctl.tenants WHERE schema_name = current_schema()`,
    { outcome: 'failed', error: expect.objectContaining({ code: 'MIGRATION_INTERRUPTED' }) },
    ['1', '1'],
  ],
])(
  'a tenant that %s is dealt with as it is now, and all others are sent the same',
  async (_, change, expected, history) => {
    const watched = await nine();
    const { fleet } = watched;
    await fleet.add(...ALL_GATED);
    const gate = await closeGate(fleet.testDatabase);
    const run = fleet.migrate({ listUpToDate: true });
    await gate.reached();
    await fleet.query(`SET search_path TO ${ODD_SCHEMA}; ${change}`);
    await gate.open();
    const result = await run;
    expect(resultOf(result, ODD)).toMatchObject(expected);
    const rows = await fleet.history(ODD);
    expect(rows.map((row) => (history.includes(row) ? row : row.split('@')[1]))).toEqual(history);
    await expectOthersDone(watched, '3_links.sql');
    // What was found to be otherwise is known to the next run, too.
    const stamps = await fleet.query(
      `SELECT schema_name FROM tenantctl.trusted_stamps WHERE digest <> (tenantctl.read_history(schema_name)).digest`,
    );
    expect(stamps).toEqual([]);
  },
);

test('a tenant that another run is at work on is waited for, and then served', async () => {
  const watched = await nine();
  const { fleet } = watched;
  await fleet.add(...LINKS);
  const lock = await holdLock(fleet.testDatabase, `tenant:${ODD_SCHEMA}`);
  let release: Promise<void> | undefined;
  const result = await fleet.migrate({
    observe(event) {
      if (event.type === 'tenant' && event.done === 8) release = sleep(200).then(() => lock.release());
    },
  });
  await release;
  expect(release).toBeDefined();
  expect(result.totals).toMatchObject({ changed: 9, failed: 0 });
  expect((await timesApplied(fleet, '3_links.sql')).get(ODD)).toBe(1);
  await expectOthersDone(watched, '3_links.sql');
});

test('who waits too long for another run says so of that tenant, and has done the others', async () => {
  const watched = await nine();
  const { fleet } = watched;
  await fleet.add(...LINKS);
  await holdLock(fleet.testDatabase, `tenant:${ODD_SCHEMA}`);
  const result = await fleet.migrate({ lockWaitMs: 100 });
  expect(result.totals).toMatchObject({ changed: 8, failed: 1 });
  expect(resultOf(result, ODD).error).toMatchObject({ code: 'LOCK_TIMEOUT', tenant: ODD });
  await expectOthersDone(watched, '3_links.sql');
});

/** A session that locks a table of the odd one against everybody. */
async function lockTable(fleet: TestFleet): Promise<Client> {
  const client = new Client({ connectionString: fleet.testDatabase.url, application_name: 'holder' });
  client.on('error', () => {});
  await client.connect();
  onTestFinished(() => client.end());
  await client.query(`BEGIN; LOCK TABLE ${ODD_SCHEMA}.notes`);
  return client;
}

/** Backends of tenantctl that wait for a lock: since when, and on which process. */
const WAITING = `SELECT pid, xact_start::text AS since FROM pg_stat_activity
  WHERE datname = current_database() AND application_name = 'tenantctl' AND wait_event_type = 'Lock'`;

function waiting(fleet: TestFleet): Promise<{ pid: number; since: string }[]> {
  return fleet.query(WAITING);
}

const ALTER = ['3_alter.sql', '-- migrate:up\nALTER TABLE notes ADD x int;'] as const;

test.each([1, 4])(
  'a table that stays locked is tried again after the others, then reported as it would be alone (concurrency %i)',
  async (concurrency) => {
    const watched = await nine();
    const { fleet } = watched;
    await fleet.add(...ALTER);
    await lockTable(fleet);
    const order: string[] = [];
    const starts = new Set<string>();
    const run = fleet.migrate({
      concurrency,
      lockTimeoutMs: 750,
      retries: 0,
      observe: (event: RunEvent) => event.type === 'tenant' && order.push(event.result.clerkOrgId),
    });
    const done = run.then(() => true);
    // In a session of its own: to connect takes too long to see every attempt.
    const observer = await fleet.testDatabase.open(1);
    while (!(await Promise.race([done, sleep(15, false)]))) {
      const { rows } = await observer.query<{ since: string }>(WAITING);
      for (const { since } of rows) starts.add(since);
    }
    const result = await run;
    expect(starts.size).toBe(3);
    expect(order).toHaveLength(9);
    expect(order.at(-1)).toBe(ODD);
    expect(resultOf(result, ODD).error).toMatchObject({
      code: 'MIGRATION_FAILED',
      sqlstate: '55P03',
      migration: '3_alter.sql',
      statement: 'ALTER TABLE notes ADD x int',
      hint: expect.stringContaining('LOCK_TIMEOUT_MS'),
    });
    expect(result.totals).toMatchObject({ changed: 8, failed: 1 });
    await expectOthersDone(watched, '3_alter.sql');
  },
);

test('a table that is let go while the others are served is no failure', async () => {
  const watched = await nine();
  const { fleet } = watched;
  await fleet.add(...ALTER);
  const holder = await lockTable(fleet);
  const run = fleet.migrate({ lockTimeoutMs: 3_000 });
  const starts = new Set<string>();
  await until(async () => {
    for (const { since } of await waiting(fleet)) starts.add(since);
    return starts.size > 1;
  }, 'a second attempt');
  await holder.query('ROLLBACK');
  expect((await run).totals).toMatchObject({ changed: 9, failed: 0 });
  expect((await watched.ways()).get(ODD)).toBe('in one string');
  await expectOthersDone(watched, '3_alter.sql');
});

test.each([1, 4])(
  'a string that an administrator cancels is sent again, and applied once (concurrency %i)',
  async (concurrency) => {
    const watched = await nine();
    const { fleet } = watched;
    await fleet.add(...GATED);
    const gate = await closeGate(fleet.testDatabase);
    const run = fleet.migrate({ concurrency });
    await gate.reached();
    const [first] = await waiting(fleet);
    await fleet.query(`SELECT pg_cancel_backend(pid) FROM ${WAITING_AT_GATE}`);
    // It is soon there again, in another transaction.
    await until(
      async () => (await waiting(fleet)).every(({ since }) => since !== first?.since),
      'the cancel',
    );
    await gate.open();
    expect((await run).totals).toMatchObject({ changed: 9, failed: 0 });
    expect((await watched.ways()).get(ODD)).toBe('in one string');
    expect((await timesApplied(fleet, '3_links.sql')).get(ODD)).toBe(1);
    await expectOthersDone(watched, '3_links.sql');
    await expectSessionsClean(fleet);
  },
);

test.each([1, 4])(
  'a connection that is ended in the middle of a string loses no tenant and doubles none (concurrency %i)',
  async (concurrency) => {
    const watched = await nine();
    const { fleet } = watched;
    await fleet.add(...GATED);
    const gate = await closeGate(fleet.testDatabase);
    const events: string[] = [];
    const run = fleet.migrate({
      concurrency,
      observe: (event) =>
        event.type === 'tenant' && events.push(`${event.result.clerkOrgId} ${event.result.outcome}`),
    });
    await gate.reached();
    // The string behind it is on its way by now.
    await sleep(50);
    await fleet.query(`SELECT pg_terminate_backend(pid) FROM ${WAITING_AT_GATE}`);
    await gate.open();
    const result = await run;
    expect(result.totals).toEqual({ selected: 9, upToDate: 0, changed: 9, failed: 0, skipped: 0 });
    expect(events.toSorted()).toEqual(ORGANIZATIONS.map((organization) => `${organization} migrated`));
    expect([...(await timesApplied(fleet, '3_links.sql')).values()]).toEqual(ORGANIZATIONS.map(() => 1));
    for (const organization of ORGANIZATIONS) expect(await fleet.tables(organization)).toContain('links');
  },
);

test.each([
  [1, 3],
  [2, 0],
])(
  'told to stop, the strings on their way are finished, and the others are left alone (concurrency %i)',
  async (concurrency, left) => {
    const watched = await nine();
    const { fleet } = watched;
    const [file, text] = GATED;
    // What takes long is not sent far ahead.
    await fleet.add(file, text.replace('CREATE', 'SELECT pg_sleep(0.06);\nCREATE'));
    const gate = await closeGate(fleet.testDatabase);
    const stop = new AbortController();
    const run = fleet.migrate({ concurrency, signal: stop.signal });
    await gate.reached();
    await sleep(100);
    stop.abort();
    await gate.open();
    const result = await run;
    expect(result.tenants.map(({ clerkOrgId }) => clerkOrgId).toSorted()).toEqual(ORGANIZATIONS);
    expect(resultOf(result, ODD).outcome).toBe('migrated');
    const { changed, skipped } = result.totals;
    expect(changed + skipped).toBe(9);
    for (const { clerkOrgId, outcome } of result.tenants) {
      expect(await fleet.history(clerkOrgId)).toHaveLength(outcome === 'migrated' ? 3 : 2);
    }
    // Elsewhere than on one connection, others have gone on meanwhile.
    expect(skipped).toBeGreaterThanOrEqual(left);
    expect(result.interrupted).toBe(skipped > 0);
    expect((await fleet.migrate()).totals).toMatchObject({ failed: 0, changed: skipped, upToDate: changed });
  },
);

/** As Citus does for some DDL: a string of several statements is refused. */
const REFUSES_STRINGS = `CREATE FUNCTION public.one_statement() RETURNS event_trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF (SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()) LIKE '%tenantctl.enter%' THEN
      RAISE EXCEPTION 'cannot execute several statements in one string' USING ERRCODE = '42601';
    END IF;
  END $$;
  CREATE EVENT TRIGGER one_statement ON ddl_command_start EXECUTE FUNCTION public.one_statement();`;

test.each([1, 4])(
  'on a server that refuses strings of several statements, tenants are served interactively (concurrency %i)',
  async (concurrency) => {
    const watched = await nine();
    const { fleet } = watched;
    await fleet.query(REFUSES_STRINGS);
    await fleet.query(`INSERT INTO ${ODD_SCHEMA}.notes VALUES (-1)`);
    await fleet.add(
      '3_first.js',
      knexMigration(
        `await knex.raw('CREATE TABLE first_one ()'); await knex.raw('${LEAVES_THINGS.replaceAll('\n', ' ').replaceAll("'", "\\'")}');`,
      ),
    );
    await fleet.add(
      '4_second.js',
      knexMigration(
        `await knex.schema.createTable('links', (t) => t.increments()); await knex.raw('ALTER TABLE notes ADD CHECK (id > 0)'); await knex.raw('CREATE TABLE last_one ()');`,
      ),
    );
    const result = await fleet.migrate({ concurrency });
    expect(result.totals).toMatchObject({ changed: 8, failed: 1 });
    expect(resultOf(result, ODD)).toMatchObject({
      names: [],
      error: {
        sqlstate: '23514',
        migration: '4_second.js',
        statement: 'ALTER TABLE notes ADD CHECK (id > 0)',
      },
    });
    expect(await fleet.tables(ODD)).toEqual(['notes', 'tags']);
    const times = [await timesApplied(fleet, '3_first.js'), await timesApplied(fleet, '4_second.js')];
    for (const organization of OTHERS) {
      expect(times.map((each) => each.get(organization))).toEqual([1, 1]);
      expect(await fleet.tables(organization)).toEqual(['first_one', 'last_one', 'links', 'notes', 'tags']);
    }
    const ways = await watched.ways();
    expect(ways.get('org_1')).toBe('interactively');
    expect(ways.get('org_8')).toBe('interactively');
    expect([...ways.values()]).not.toContain('in one string');
    await expectSessionsClean(fleet);
  },
);

test.each(['SAVEPOINT a', '/* now */ SAVEPOINT a', '-- now\\nSAVEPOINT a', ';SAVEPOINT a'])(
  'where statements go one at a time, none that failed is forgiven by a savepoint behind it: %s',
  async (savepoint) => {
    const watched = await nine();
    const { fleet } = watched;
    await fleet.query(REFUSES_STRINGS);
    await fleet.query(`INSERT INTO ${ODD_SCHEMA}.notes VALUES (-1)`);
    await fleet.add(
      '3_test.js',
      knexMigration(
        `await knex.raw('${savepoint}'); await knex.raw('ALTER TABLE notes ADD CHECK (id > 0)'); await knex.raw('${savepoint.replace('SAVEPOINT', 'ROLLBACK TO')}'); await knex.raw('CREATE TABLE links ()');`,
      ),
    );
    const result = await fleet.migrate({ concurrency: 1 });
    expect(resultOf(result, ODD)).toMatchObject({ outcome: 'failed', error: { sqlstate: '23514' } });
    expect(await fleet.history(ODD)).toHaveLength(2);
    expect(result.totals).toMatchObject({ changed: 8, failed: 1 });
  },
);

test('where statements go one at a time, a constraint that is broken at the COMMIT is a failure', async () => {
  const watched = await nine();
  const { fleet } = watched;
  await fleet.query(REFUSES_STRINGS);
  await fleet.query(`INSERT INTO ${ODD_SCHEMA}.notes VALUES (-1)`);
  await fleet.add(
    '3_test.js',
    knexMigration(
      `await knex.raw('CREATE TABLE links (id int REFERENCES tags DEFERRABLE INITIALLY DEFERRED)'); await knex.raw('INSERT INTO links SELECT id FROM notes');`,
    ),
  );
  const result = await fleet.migrate({ concurrency: 1 });
  expect(resultOf(result, ODD)).toMatchObject({ outcome: 'failed', error: { sqlstate: '23503' } });
  expect(await fleet.history(ODD)).toHaveLength(2);
  expect(result.totals).toMatchObject({ changed: 8, failed: 1 });
});

test.each([1, 4])(
  'two runs at once over sixty tenants apply each migration exactly once (concurrency %i)',
  async (concurrency) => {
    const organizations = Array.from({ length: 60 }, (_, nth) => `org_${nth}`);
    const fleet = await createFleet(organizations);
    const ways = await watchWays(fleet);
    const other = fleetOn(fleet.testDatabase, await fleet.testDatabase.open(6), fleet.project);
    await fleet.add('3_naps.sql', '-- migrate:up\nSELECT pg_sleep(0.01);\nCREATE TABLE naps ();');
    await fleet.add('4_links.sql', createTable('links'));
    const runs = await Promise.all([fleet.migrate({ concurrency }), other.migrate({ concurrency })]);
    expect(runs.map(({ totals }) => totals.failed)).toEqual([0, 0]);
    expect(runs.map(({ totals }) => totals.changed).reduce((a, b) => a + b)).toBe(60);
    expect(runs.map(({ totals }) => totals.selected)).toEqual([60, 60]);
    for (const migration of ['3_naps.sql', '4_links.sql']) {
      expect(new Set((await timesApplied(fleet, migration)).values())).toEqual(new Set([1]));
    }
    for (const organization of organizations) {
      expect((await fleet.history(organization)).slice(2)).toEqual(['3_naps.sql@2', '4_links.sql@2']);
    }
    expect([...(await ways()).values()].filter((way) => way === 'in one string').length).toBeGreaterThan(10);
  },
);

test('where transactions are serializable unless they say otherwise, strings are read under the lock as it is now', async () => {
  const watched = await nine();
  const { fleet } = watched;
  const [row] = await fleet.query<{ name: string }>('SELECT current_database() AS name');
  await fleet.query(`ALTER DATABASE ${row?.name} SET default_transaction_isolation TO serializable`);
  const again = fleetOn(fleet.testDatabase, await fleet.testDatabase.open(6), fleet.project);
  const other = fleetOn(fleet.testDatabase, await fleet.testDatabase.open(6), fleet.project);
  await fleet.add(
    '3_links.sql',
    `-- migrate:up\nSELECT pg_sleep(0.02);\nCREATE TABLE links AS SELECT current_setting('transaction_isolation') AS level;`,
  );
  const runs = await Promise.all([again.migrate(), other.migrate()]);
  expect(runs.flatMap(({ tenants }) => tenants.flatMap(({ error }) => error ?? []))).toEqual([]);
  expect([...(await timesApplied(fleet, '3_links.sql')).values()]).toEqual(ORGANIZATIONS.map(() => 1));
  expect(await fleet.query(`SELECT level FROM ${schemaNameFor('org_8')}.links`)).toEqual([
    { level: 'read committed' },
  ]);
});

test('what a string leaves in its session is not there for the next, nor at the end', async () => {
  const watched = await nine();
  const { fleet } = watched;
  await fleet.add(
    '3_look.sql',
    `-- migrate:up
CREATE TABLE seen AS SELECT current_setting('work_mem') AS memory, current_setting('lock_timeout') AS lock,
  current_setting('idle_in_transaction_session_timeout') AS idle, current_setting('search_path') AS path,
  current_user = session_user AS self, (SELECT count(*)::int FROM pg_class WHERE relname = 'scratch' AND relnamespace = pg_my_temp_schema()) AS temp,
  (SELECT count(*)::int FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory' AND objid = 99) AS locks;`,
  );
  await fleet.add('4_leave.sql', `-- migrate:up\n${LEAVES_THINGS}`);
  const result = await fleet.migrate({ concurrency: 1, lockTimeoutMs: 1234 });
  expect(result.totals).toMatchObject({ changed: 9, failed: 0 });
  for (const organization of ORGANIZATIONS) {
    const schema = schemaNameFor(organization);
    expect(await fleet.query(`SELECT * FROM ${schema}.seen`)).toEqual([
      {
        memory: '4MB',
        lock: '1234ms',
        idle: '50s',
        path: `${schema}, public`,
        self: true,
        temp: 0,
        locks: 0,
      },
    ]);
  }
  await expectOthersDoneByName(watched, '3_look.sql');
  await expectSessionsClean(fleet);
});

async function expectOthersDoneByName({ fleet, ways }: Watched, migration: string): Promise<void> {
  const [seen, times] = [await ways(), await timesApplied(fleet, migration)];
  expect([...times.values()]).toEqual(ORGANIZATIONS.map(() => 1));
  expect(ORGANIZATIONS.slice(2).map((organization) => seen.get(organization))).toEqual(
    ORGANIZATIONS.slice(2).map(() => 'in one string'),
  );
}

test.each([1, 4])(
  'a connection that is lost when its string has been committed, and before that was heard, loses no tenant and doubles none (concurrency %i)',
  async (concurrency) => {
    const watched = await nine();
    const { fleet } = watched;
    const proxy = await cuttingProxy(fleet.testDatabase.settings);
    const database = await openDatabase(proxy.settings, { maxConnections: 6 });
    onTestFinished(() => database.close());
    await fleet.add(...LINKS);
    proxy.cutAfter(`tenantctl.enter('${ODD_SCHEMA}'`, 'COMMIT');
    const events: string[] = [];
    const result = await fleetOn(fleet.testDatabase, database, fleet.project).migrate({
      concurrency,
      observe: (event) => event.type === 'tenant' && events.push(event.result.clerkOrgId),
    });
    expect(proxy.cuts).toBe(1);
    expect(events.toSorted()).toEqual(ORGANIZATIONS);
    expect(result.totals).toMatchObject({ selected: 9, failed: 0, skipped: 0 });
    expect([...(await timesApplied(fleet, '3_links.sql')).values()]).toEqual(ORGANIZATIONS.map(() => 1));
    // Nobody knows any more whether this run or another one did it.
    expect(['migrated', 'up-to-date']).toContain(
      resultOf(await fleet.migrate({ listUpToDate: true }), ODD).outcome,
    );
    expect(result.totals.changed + result.totals.upToDate).toBe(9);
  },
);

test('a session lock that a failed migration has taken is let go, whichever way it was gone through', async () => {
  for (const compile of [true, false]) {
    const { fleet } = await nine();
    await fleet.query(`INSERT INTO ${ODD_SCHEMA}.notes VALUES (-1)`);
    await fleet.add(
      '3_lock.sql',
      '-- migrate:up\nSELECT pg_advisory_lock(99);\nALTER TABLE notes ADD CHECK (id > 0);',
    );
    const result = await fleet.migrate({ compile, lockTimeoutMs: 500 });
    expect(result.totals).toMatchObject({ changed: 8, failed: 1 });
    await expectSessionsClean(fleet);
  }
});

/** SQL that a migration may well have, and that leaves something behind by way of a function of the tenant's own. */
test('what functions leave behind in a session is gone before the next tenant comes', async () => {
  const { fleet } = await nine();
  for (const organization of ORGANIZATIONS) {
    await fleet.query(`SET search_path TO ${schemaNameFor(organization)};
      CREATE FUNCTION leaves() RETURNS text LANGUAGE plpgsql AS $$
      DECLARE found text := concat_ws(' ', nullif(current_setting('work_mem'), '4MB'),
          (SELECT 'locked' FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory' AND objid = 99));
      BEGIN
        SET work_mem = '77MB';
        PERFORM pg_advisory_lock(99);
        RETURN found;
      END $$`);
  }
  await fleet.add(
    '3_table.js',
    knexMigration(`await knex.raw('CREATE TABLE seen AS SELECT leaves() AS found');`),
  );
  const result = await fleet.migrate({ concurrency: 1, lockTimeoutMs: 500 });
  expect(result.tenants.flatMap(({ error }) => error?.message ?? [])).toEqual([]);
  for (const organization of ORGANIZATIONS) {
    expect(await fleet.query(`SELECT found FROM ${schemaNameFor(organization)}.seen`)).toEqual([
      { found: '' },
    ]);
  }
  await expectSessionsClean(fleet);
});

test('a run that comes too late for a tenant takes nothing that the other one needs', async () => {
  const { fleet } = await nine();
  const target = tenantTarget(DEFAULT_NAMES, { clerkOrgId: ODD, schema: ODD_SCHEMA });
  await holdLock(fleet.testDatabase, target.lock);
  const late = await fleet.database.connect('work');
  onTestFinished(() => fleet.database.giveBack(late, true, 0));
  const assignment = {
    direction: 'up',
    hasState: true,
    hasTables: true,
    decide: () => {
      throw new Error('not asked');
    },
  } as const;
  const opening = lookUnderLock(target, assignment, true);
  await late.query(['BEGIN', ...opening].join(';\n'));
  const free = await fleet.query(
    `SELECT * FROM ${ODD_SCHEMA}.knex_migrations_tenant_lock FOR UPDATE SKIP LOCKED`,
  );
  expect(free).toHaveLength(1);
});
