import { describe, expect, onTestFinished, test } from 'vitest';
import { migrateTenants } from '../../../src/core/commands/migrate-tenants.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { withTransaction } from '../../../src/db/transaction.ts';
import { createDatabase } from '../../support/database.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { knexMigration } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

const TWO = ['org_a', 'org_b'];

/** All that a session may carry over to its next user. */
const SESSION = `SELECT current_setting('search_path') AS path, current_setting('statement_timeout') AS timeout,
  current_user = session_user AS is_itself, (SELECT count(*)::int FROM pg_prepared_statements WHERE from_sql) AS prepared,
  (SELECT count(*)::int FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory') AS locks,
  (SELECT count(*)::int FROM pg_cursors WHERE name <> '') AS cursors, pg_my_temp_schema() = 0 OR NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = pg_my_temp_schema()) AS no_temp,
  (SELECT count(*)::int FROM pg_listening_channels()) AS listens, pg_backend_pid() AS pid`;

/** Two connections: one for the tenants, and one more, as a run needs it. */
async function oneLane(fleet: TestFleet) {
  const database = await openDatabase(fleet.testDatabase.settings, { maxConnections: 2 });
  onTestFinished(() => database.close());
  return database;
}

/** What a migration leaves in its session if nobody cleans it, and how it ends. */
const MESS = `
  await knex.raw("SET search_path TO pg_temp, information_schema");
  await knex.raw("SET statement_timeout = '77s'");
  await knex.raw('PREPARE p AS SELECT 1');
  await knex.raw('LISTEN x');
  await knex.raw('SELECT pg_advisory_lock(7)');
  await knex.raw('CREATE TEMP TABLE scratch ()');
  await knex.raw('DECLARE c CURSOR WITH HOLD FOR SELECT 1');`;

describe.each([
  ['it fails', 'await knex.raw("SELECT 1/0");'],
  ['it throws', 'throw new Error("no");'],
  ['it is cancelled', 'await knex.raw("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(5)");'],
  [
    'a statement takes too long',
    `await knex.raw("SET LOCAL statement_timeout = '20ms'"); await knex.raw("SELECT pg_sleep(5)");`,
  ],
  ['it ends its transaction', 'await knex.raw("COMMIT");'],
  [
    'its commit is refused',
    'await knex.raw("CREATE TABLE late (id int REFERENCES notes DEFERRABLE INITIALLY DEFERRED)"); await knex.raw("INSERT INTO late VALUES (99)");',
  ],
  ['it goes outside its schema', 'await knex.raw("CREATE TABLE public.mine ()");'],
])('two tenants take turns on one connection, and %s for one of them', (_, end) => {
  test('neither its search_path nor anything else of it reaches the other, which is done each time', async () => {
    const fleet = await createFleet(TWO);
    const database = await oneLane(fleet);
    const { rows: before } = await database.query<{ pid: number }>(SESSION);
    for (const turn of [1, 2, 3]) {
      const file = `3_turn_${turn}.js`;
      await fleet.add(
        file,
        knexMigration(
          `await knex.schema.createTable('turn_${turn}', (t) => t.increments()); if (knex.userParams.clerkOrgId === 'org_a') { ${MESS} ${end} }`,
        ),
      );
      const options = { folder: fleet.project.tenants, concurrency: 1, retries: 0 };
      const result = await migrateTenants(database, options);
      expect(result.tenants.map(({ clerkOrgId, outcome }) => [clerkOrgId, outcome])).toEqual(
        expect.arrayContaining([
          ['org_a', 'failed'],
          ['org_b', 'migrated'],
        ]),
      );
      expect(await fleet.tables('org_b')).toContain(`turn_${turn}`);
      expect(await fleet.tables('org_a')).toEqual(['notes', 'tags']);
      const { rows } = await database.query<{ pid: number }>(SESSION);
      expect({ ...rows[0], pid: 0 }).toEqual({ ...before[0], pid: 0 });
      await fleet.project.remove(`migrations/tenants/${file}`);
      await fleet.query(
        `DELETE FROM ${schemaNameFor('org_b')}.knex_migrations_tenant WHERE name = '${file}'`,
      );
    }
  });
});

test('a migration that succeeds leaves nothing behind either, whichever way it is sent', async () => {
  const fleet = await createFleet([...TWO, 'org_c', 'org_d']);
  const database = await oneLane(fleet);
  const { rows: before } = await database.query<{ pid: number }>(SESSION);
  await fleet.add('3_mess.js', knexMigration(MESS));
  const result = await migrateTenants(database, { folder: fleet.project.tenants, concurrency: 1 });
  expect(result.totals).toMatchObject({ changed: 4, failed: 0 });
  const { rows } = await database.query<{ pid: number }>(SESSION);
  expect(rows).toEqual(before);
});

test('a connection whose session could not be cleaned is closed, and not given to the next', async () => {
  const testDatabase = await createDatabase();
  const database = await testDatabase.open(1);
  const { rows: before } = await database.query<{ pid: number }>(SESSION);
  // What takes prepared statements away is a block in this language.
  await testDatabase.query('DROP EXTENSION plpgsql');
  const error = await refusalOf(
    withTransaction(database, {}, [], async ({ client }) => {
      await client.query('PREPARE p AS SELECT 1');
      await client.query('SELECT 1/0');
    }),
  );
  expect(error.sqlstate).toBe('22012');
  const { rows } = await database.query<{ prepared: number; pid: number }>(SESSION);
  expect(rows[0]?.prepared).toBe(0);
  expect(rows[0]?.pid).not.toBe(before[0]?.pid);
});

test('nothing that functions do behind CREATE TABLE reaches the next tenant or the next user of the pool', async () => {
  const fleet = await createFleet([...TWO, 'org_c', 'org_d']);
  await fleet.query(`CREATE FUNCTION public.leave() RETURNS event_trigger LANGUAGE plpgsql AS $f$ BEGIN
      IF current_schema() NOT LIKE 'tid%' THEN RETURN; END IF;
      PERFORM set_config('app.leak', current_setting('app.leak', true) || current_schema(), false), pg_advisory_lock(4711);
      EXECUTE format('PREPARE %I AS SELECT 1', current_schema()); EXECUTE 'LISTEN x';
    END $f$;
    CREATE EVENT TRIGGER leave ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.leave();
    CREATE FUNCTION public.found() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN current_setting(''app.leak'', true); END';
    CREATE DOMAIN public.found AS text DEFAULT public.found()`);
  for (const id of [...TWO, 'org_c', 'org_d'])
    await fleet.query(`INSERT INTO ${schemaNameFor(id)}.notes VALUES (1)`);
  await fleet.add('3_found.sql', '-- migrate:up\nALTER TABLE notes ADD COLUMN found found;');
  await fleet.add('4_more.sql', '-- migrate:up\nCREATE TABLE more ();');
  const result = await fleet.migrate({ concurrency: 1 });
  expect(result.totals).toMatchObject({ changed: 4, failed: 0 });
  for (const id of [...TWO, 'org_c', 'org_d'])
    expect(await fleet.query(`SELECT coalesce(found, '') AS found FROM ${schemaNameFor(id)}.notes`)).toEqual([
      { found: '' },
    ]);
  expect(
    await fleet.query(
      `SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    ),
  ).toEqual([]);
});
