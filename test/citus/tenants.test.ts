import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { migrateMaster } from '../../src/core/commands/migrate-master.ts';
import { provisionTenants } from '../../src/core/tenant/provision.ts';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { readHistories } from '../../src/core/target/history.ts';
import { createCitusFleet } from '../support/citus-fleet.ts';
import { resultOf, type TestFleet } from '../support/fleet.ts';
import { createTable, knexMigration } from '../support/project.ts';

const ORGS = Array.from({ length: 6 }, (_, nth) => `org_${nth}`);

function readAll({ database }: TestFleet) {
  const tables = ORGS.map((org) => ({ schema: schemaNameFor(org), hasHistory: true, hasLock: true }));
  return readHistories(database, database.names.tenantHistory, tables);
}

/** How many tables there are of each kind, and how many of them nodes have. */
function whereTablesAre({ query }: TestFleet) {
  return query(
    `SELECT CASE n.nspname WHEN 'public' THEN 'public' WHEN 'tenantctl' THEN 'tenantctl' ELSE 'tenants' END AS kind,
       count(*)::int AS tables, count(p.logicalrelid)::int AS on_nodes
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_dist_partition p ON p.logicalrelid = c.oid
     WHERE c.relkind = 'r' AND (n.nspname IN ('public', 'tenantctl') OR n.nspname LIKE 'tid\\_%')
     GROUP BY 1 ORDER BY 1`,
  );
}

test('the tables of tenants are on nodes, and all others stay on the coordinator', async () => {
  const fleet = await createCitusFleet(ORGS);
  await fleet.add('20250101000003_more.sql', createTable('more', 'id serial PRIMARY KEY'));
  await fleet.migrate();

  const found = await whereTablesAre(fleet);

  expect(found).toEqual([
    { kind: 'public', tables: 3, on_nodes: 0 },
    { kind: 'tenantctl', tables: expect.any(Number) as number, on_nodes: 0 },
    { kind: 'tenants', tables: 5 * ORGS.length, on_nodes: 5 * ORGS.length },
  ]);
  expect((await fleet.status()).tenants.upToDate).toBe(ORGS.length);
});

test('a schema that a master migration creates stays on the coordinator, in a transaction or not', async () => {
  const fleet = await createCitusFleet([]);
  const write = (name: string, text: string) => fleet.project.write(`migrations/master/${name}`, text);
  await write(
    '20990101000001_shared.sql',
    `-- migrate:up
     CREATE SCHEMA shared;
     CREATE TABLE shared.countries (id serial PRIMARY KEY);`,
  );
  await write('20990101000002_outside.sql', '-- migrate:up transaction:false\nCREATE SCHEMA outside;');
  await migrateMaster(fleet.database, { folder: fleet.project.master });

  expect(await fleet.query(`SELECT schemaid::regnamespace::text AS schema FROM pg_dist_schema`)).toEqual([]);
  expect(
    await fleet.query(`SELECT count(*)::int AS n FROM pg_namespace WHERE nspname IN ('shared', 'outside')`),
  ).toEqual([{ n: 2 }]);
  await fleet.provision('org_a');
  expect(await fleet.query(`SELECT schemaid::regnamespace::text AS schema FROM pg_dist_schema`)).toEqual([
    { schema: schemaNameFor('org_a') },
  ]);
});

test('a statement that nodes take only one at a time reaches every tenant, forth and back', async () => {
  const fleet = await createCitusFleet(ORGS);
  await fleet.add(
    '20250101000003_alter.sql',
    `-- migrate:up
     ALTER TABLE notes ADD COLUMN color text DEFAULT 'red';
     CREATE INDEX notes_color ON notes (color);
     ALTER TABLE notes ADD CONSTRAINT n_positive CHECK (n >= 0);
     INSERT INTO notes (n) VALUES (1);
     -- migrate:down
     ALTER TABLE notes DROP CONSTRAINT n_positive;
     ALTER TABLE notes DROP COLUMN color;`,
  );
  await fleet.add(
    '20250101000004_knex.js',
    knexMigration(
      `await knex.schema.alterTable('notes', (t) => { t.index('n'); });
       await knex('notes').update({ n: 2 });`,
      `await knex.schema.alterTable('notes', (t) => { t.dropIndex('n'); });`,
    ),
  );

  const forth = await fleet.migrate();
  const rows = await Promise.all(
    ORGS.map((org) => fleet.query(`SELECT n, color FROM ${schemaNameFor(org)}.notes`)),
  );
  const back = await fleet.rollback();

  expect(forth.tenants.map(({ outcome }) => outcome)).toEqual(ORGS.map(() => 'migrated'));
  expect(rows).toEqual(ORGS.map(() => [{ n: 2, color: 'red' }]));
  expect(back.tenants.map(({ outcome }) => outcome)).toEqual(ORGS.map(() => 'rolled-back'));
  expect(await fleet.history('org_3')).toHaveLength(2);
});

test('a table that would stay on the coordinator is refused', async () => {
  const fleet = await createCitusFleet(['org_a', 'org_b', 'org_c']);
  await fleet.add(
    '20250101000003_hidden.sql',
    `-- migrate:up\nDO $$ BEGIN EXECUTE 'CREATE TABLE hidden (id int)'; END $$;\n-- migrate:down\n`,
  );

  const result = await fleet.migrate();

  expect(result.tenants.map(({ error }) => error?.sqlstate)).toEqual(['TCT05', 'TCT05', 'TCT05']);
  expect(await fleet.tables('org_c')).toEqual(['notes', 'tags']);
});

test("a table's key by a sequence may come after a foreign key to a reference table, and a type and a function that it needs, for old and new tenants", async () => {
  const fleet = await createCitusFleet(ORGS);
  await fleet.query('CREATE TABLE public.countries (id int PRIMARY KEY)');
  await fleet.query(`SELECT create_reference_table('public.countries')`);
  await fleet.add(
    '20250101000003_key.sql',
    `-- migrate:up
     ALTER TABLE notes ADD CONSTRAINT of_country FOREIGN KEY (n) REFERENCES public.countries (id);
     -- migrate:down
     ALTER TABLE notes DROP CONSTRAINT of_country;`,
  );
  const needy = (name: string) =>
    createTable(name, `id serial PRIMARY KEY, mood mood DEFAULT 'good', n int DEFAULT next_of(1)`);
  await fleet.add(
    '20250101000004_needed.sql',
    `-- migrate:up
     CREATE TYPE mood AS ENUM ('good', 'bad');
     CREATE FUNCTION next_of(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 1';
     CREATE FUNCTION half_of(int) RETURNS int LANGUAGE sql AS 'SELECT $1 / 2';
     CREATE FUNCTION of_the_registry() RETURNS SETOF public.tenants LANGUAGE sql AS 'SELECT * FROM public.tenants';
     -- migrate:down
     DROP FUNCTION of_the_registry();
     DROP FUNCTION half_of(int);
     DROP FUNCTION next_of(int);
     DROP TYPE mood;`,
  );
  await fleet.add('20250101000005_needy.sql', needy('needy'));

  const migrated = await fleet.migrate();
  const [added] = await fleet.provision('org_new');

  expect(migrated.tenants.map(({ error }) => error?.message)).toEqual(ORGS.map(() => undefined));
  expect(added?.error).toBeUndefined();
  for (const org of ['org_0', 'org_5', 'org_new']) {
    const schema = schemaNameFor(org);
    await fleet.query(`INSERT INTO ${schema}.needy DEFAULT VALUES`);
    // The node calls both functions.
    const rows = `SELECT mood::text AS mood, n, ${schema}.half_of(n) AS half FROM ${schema}.needy`;
    expect(await fleet.query(rows)).toEqual([{ mood: 'good', n: 2, half: 1 }]);
  }
  const back = await fleet.rollback();
  expect(back.tenants.map(({ error }) => error?.message)).toEqual([...ORGS, 'org_new'].map(() => undefined));
  expect(await fleet.tables('org_5')).toEqual(['notes', 'tags']);
});

test('what a node refuses says where to read what nodes do not take', async () => {
  const fleet = await createCitusFleet(['org_a']);
  await fleet.add(
    '20250101000003_reads.sql',
    `-- migrate:up
     CREATE FUNCTION notes_of(int) RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM notes WHERE n = $1';
     INSERT INTO notes (n) VALUES (1);`,
  );
  await fleet.migrate();
  await fleet.add('20250101000004_calls.sql', '-- migrate:up\nSELECT notes_of(n) FROM notes;');

  const { error } = resultOf(await fleet.migrate(), 'org_a');

  expect(error?.hint).toMatch(/^A node of the Citus cluster refused it\. docs\/citus\.md/);
});

test('a migration that fails while a tenant is provisioned leaves no schema', async () => {
  const fleet = await createCitusFleet([]);
  await fleet.add('20250101000003_fails.sql', '-- migrate:up\nSELECT 1/0;\n-- migrate:down\n');

  const [failed] = await fleet.provision('org_a');
  const rows = await fleet.query('SELECT status, to_regnamespace(schema_name)::text AS schema FROM tenants');

  expect(failed?.error?.sqlstate).toBe('22012');
  expect(rows).toEqual([{ status: 'FAILED', schema: null }]);
});

test('a tenant of which only the schema was committed is finished by the next run', async () => {
  const fleet = await createCitusFleet(['org_a']);
  const schema = schemaNameFor('org_b');
  await fleet.query(
    `INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ('org_b', '${schema}', 'PROVISIONING')`,
  );
  await fleet.query(`CREATE SCHEMA ${schema}`);

  const [made] = await fleet.provision('org_b');

  expect(made?.error).toBeUndefined();
  expect(await fleet.tables('org_b')).toEqual(['notes', 'tags']);
  expect(await fleet.query(`SELECT status FROM tenants WHERE clerk_org_id = 'org_b'`)).toEqual([
    { status: 'ACTIVE' },
  ]);
});

test('a lock that a node waits for ends after the lock timeout', async () => {
  const fleet = await createCitusFleet(['org_a', 'org_b']);
  const schema = schemaNameFor('org_a');
  await fleet.query(`INSERT INTO ${schema}.notes (n) VALUES (1)`);
  await fleet.add('20250101000003_update.sql', '-- migrate:up\nUPDATE notes SET n = 2;\n-- migrate:down\n');
  const holder = new Client({ connectionString: fleet.testDatabase.url });
  await holder.connect();
  onTestFinished(() => holder.end());
  await holder.query('BEGIN');
  await holder.query(`UPDATE ${schema}.notes SET n = 3`);

  const result = await fleet.migrate({ lockTimeoutMs: 100, retries: 0 });
  await holder.query('ROLLBACK');

  expect(resultOf(result, 'org_a').error?.sqlstate).toBe('55P03');
  expect(resultOf(result, 'org_b').outcome).toBe('migrated');
});

test('what others write to a history is seen, though nothing on a node tells of it', async () => {
  const fleet = await createCitusFleet(['org_a', 'org_b']);
  await fleet.migrate();
  await fleet.query(`DELETE FROM ${schemaNameFor('org_a')}.knex_migrations_tenant WHERE name LIKE '%tags%'`);
  await fleet.query(`DROP TABLE ${schemaNameFor('org_a')}.tags`);

  const result = await fleet.migrate();

  expect(resultOf(result, 'org_a').outcome).toBe('migrated');
  expect(resultOf(result, 'org_b').outcome).toBe('up-to-date');
});

test('the histories of a node are read together, whatever their migrations are called', async () => {
  const fleet = await createCitusFleet(ORGS);
  const name = `20250101000009_<a> & "b".sql`;
  await fleet.query(
    `INSERT INTO ${schemaNameFor('org_1')}.knex_migrations_tenant (name, batch) VALUES ('${name}', 7)`,
  );

  const histories = await readAll(fleet);

  expect([...histories.values()].map(({ entries }) => entries.length)).toEqual([2, 3, 2, 2, 2, 2]);
  expect(histories.get(schemaNameFor('org_1'))?.entries.at(-1)).toEqual({ name, batch: 7 });
});

test('a history that is not what Knex made hides no other of its node', async () => {
  const fleet = await createCitusFleet(ORGS);
  await fleet.query(`ALTER TABLE ${schemaNameFor('org_1')}.knex_migrations_tenant DROP COLUMN batch`);

  const histories = await readAll(fleet);

  const others = ORGS.filter((org) => org !== 'org_1').map((org) => histories.get(schemaNameFor(org)));
  expect(others.map((history) => history?.entries.length)).toEqual(others.map(() => 2));
  expect(histories.has(schemaNameFor('org_1'))).toBe(false);
});

test('canaries that a check refuses are rolled back, and their refusal is forgotten', async () => {
  const fleet = await createCitusFleet(['org_a', 'org_b']);
  await fleet.add(
    '20250101000003_color.sql',
    `-- migrate:up\nALTER TABLE notes ADD COLUMN color text;\n-- migrate:down\nALTER TABLE notes DROP COLUMN color;\n`,
  );
  const check = { name: 'refuses.sql', query: 'SELECT false' };

  const result = await fleet.migrate({
    rollout: { canary: { tenants: ['org_a'] }, check, onCanaryFailure: 'rollback' },
  });

  expect(resultOf(result, 'org_a')).toMatchObject({
    outcome: 'failed',
    names: [],
    reverted: ['20250101000003_color.sql'],
  });
  expect(await fleet.query('SELECT FROM tenantctl.tenant_failures')).toEqual([]);
});

test('roles of tenants are refused before anything is done', async () => {
  const fleet = await createCitusFleet([]);

  const refused = provisionTenants(fleet.database, ['org_a'], {
    folder: fleet.project.tenants,
    tenantRole: '{schema}',
  });

  await expect(refused).rejects.toMatchObject({ code: 'TENANT_ROLE_UNUSABLE' });
  expect(await fleet.query('SELECT FROM tenants')).toEqual([]);
});
