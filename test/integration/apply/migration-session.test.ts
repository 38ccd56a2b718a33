import { expect, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet, resultOf, type TestFleet } from '../../support/fleet.ts';
import { createTable, knexMigration } from '../../support/project.ts';

const SCHEMA = schemaNameFor('org_a');

/** A fleet of one tenant, whose next migration has this body, run. */
async function run(up: string): Promise<{ fleet: TestFleet; result: ReturnType<typeof resultOf> }> {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_test.js', knexMigration(up));
  return { fleet, result: resultOf(await fleet.migrate(), 'org_a') };
}

test('a migration sees its own schema first, then public, and knows whose it is', async () => {
  const { fleet, result } = await run(`
    const { rows: [seen] } = await knex.raw("SELECT current_schema() AS schema, current_setting('search_path') AS path");
    await knex.schema.createTable('seen', (table) => { table.jsonb('what'); });
    await knex('seen').insert({ what: { ...seen, ...knex.userParams } });`);
  expect(result.error).toBeUndefined();
  expect(await fleet.query(`SELECT what FROM ${SCHEMA}.seen`)).toEqual([
    { what: { schema: SCHEMA, path: `${SCHEMA}, public`, clerkOrgId: 'org_a' } },
  ]);
});

test('knex.client has the address in use and the search_path, as plain Knex would give them', async () => {
  const body = `
    const { client } = knex; const { config, connectionSettings } = client;
    const { password, ...shown } = config.connection;
    const told = { ...shown, database: client.database(), driver: client.driverName, dialect: config.client,
      hasPassword: typeof config.connection.password, searchPath: config.searchPath, migrations: config.migrations,
      inner: await knex.transaction((inner) => Promise.resolve(inner.client.config.connection.user)) };
    await knex.raw('COMMENT ON TABLE notes IS ' + knex.raw('?', [JSON.stringify(told)]).toString());`;
  for (const config of ['', 'export const config = { transaction: false };']) {
    const fleet = await createFleet(['org_a']);
    await fleet.add('3_test.js', knexMigration(body, '', config));
    expect(resultOf(await fleet.migrate(), 'org_a').error).toBeUndefined();
    const [row] = await fleet.query(`SELECT obj_description('${SCHEMA}.notes'::regclass) AS told`);
    const { host, port, user, database, password } = fleet.testDatabase.settings;
    expect(JSON.parse(String(row?.told))).toEqual({
      host,
      port,
      user,
      database,
      driver: 'pg',
      dialect: 'pg',
      inner: user,
      hasPassword: typeof password,
      searchPath: [SCHEMA, 'public'],
      migrations: {
        directory: fleet.project.tenants,
        tableName: 'knex_migrations_tenant',
        schemaName: SCHEMA,
      },
    });
  }
});

test('hasTable, hasColumn and columnInfo speak of the tenant, not of public', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.query('CREATE TABLE public.shared (only_in_public int)');
  await fleet.add(
    '3_look.js',
    knexMigration(`
      await knex.schema.createTable('look', (table) => { table.jsonb('seen'); });
      await knex('look').insert({ seen: {
        notes: await knex.schema.hasTable('notes'), shared: await knex.schema.hasTable('shared'),
        id: await knex.schema.hasColumn('notes', 'id'), columns: Object.keys(await knex('notes').columnInfo()),
      } });`),
  );
  await fleet.migrate();
  expect(await fleet.query(`SELECT seen FROM ${SCHEMA}.look`)).toEqual([
    { seen: { notes: true, shared: false, id: true, columns: ['id'] } },
  ]);
});

test('a nested transaction is a savepoint: what fails in it is undone, the rest stays', async () => {
  const { fleet, result } = await run(`
    await knex('notes').insert({ id: 1 });
    await knex.transaction(async (inner) => { await inner('notes').insert({ id: 2 }); });
    await knex.transaction(async (inner) => { await inner('notes').insert([{ id: 3 }, { id: 1 }]); }).catch(() => {});
    await knex('notes').insert({ id: 4 });`);
  expect(result.outcome).toBe('migrated');
  expect(await fleet.query(`SELECT id FROM ${SCHEMA}.notes ORDER BY 1`)).toEqual([
    { id: 1 },
    { id: 2 },
    { id: 4 },
  ]);
});

test('statements that are sent all at once run one after the other', async () => {
  const { fleet, result } = await run(`
    await Promise.all([10, 11, 12].map((id) => knex('notes').insert({ id })));
    await Promise.all(['a', 'b'].map((name) => knex.schema.createTable(name, (table) => table.increments())));`);
  expect(result.outcome).toBe('migrated');
  expect(await fleet.query(`SELECT count(*)::int AS n FROM ${SCHEMA}.notes`)).toEqual([{ n: 3 }]);
  expect(await fleet.tables('org_a')).toEqual(['a', 'b', 'notes', 'tags']);
});

test('when several at once fail, the first failure is told and nothing remains', async () => {
  const { fleet, result } = await run(
    `await Promise.all([1, 1, 2].map((id) => knex('notes').insert({ id })));`,
  );
  expect(result.error).toMatchObject({
    sqlstate: '23505',
    statement: 'insert into "notes" ("id") values ($1)',
  });
  expect(await fleet.query(`SELECT * FROM ${SCHEMA}.notes`)).toEqual([]);
});

test('of statements sent all at once, none is sent after the transaction when one has failed', async () => {
  const { fleet, result } = await run(`
    await Promise.all([
      knex('nots').insert({ id: 1 }),
      ...['x', 'y', 'z'].map((name) => knex.raw('CREATE TABLE public.escaped_' + name + ' ()')),
    ]);`);
  expect(result.error?.sqlstate).toBe('42P01');
  expect(await fleet.query(`SELECT * FROM pg_tables WHERE tablename LIKE 'escaped%'`)).toEqual([]);
});

test('a statement that nobody waits for still belongs to the transaction', async () => {
  const { fleet, result } = await run(`knex('notes').insert({ id: 1 }).then(() => {});`);
  expect(result.outcome).toBe('migrated');
  expect(await fleet.query(`SELECT id FROM ${SCHEMA}.notes`)).toEqual([{ id: 1 }]);
});

test('a failure that a savepoint has caught does not hide the one that comes after it', async () => {
  const { result } = await run(`
    await knex.transaction((inner) => inner('nots').insert({ id: 1 })).catch(() => {});
    await knex('notes').insert({ id: 1, secret: 's3cr3t' });`);
  expect(result.error).toMatchObject({
    sqlstate: '42703',
    message: 'column "secret" of relation "notes" does not exist',
    statement: 'insert into "notes" ("id", "secret") values ($1, $2)',
  });
  expect(JSON.stringify(result.error)).not.toContain('s3cr3t');
});

test('bindings of many kinds arrive as they are', async () => {
  const { fleet, result } = await run(`
    await knex.schema.raw('CREATE TABLE kinds (a int, b text, c jsonb, d timestamptz, e text[], f bytea, g bool)');
    await knex('kinds').insert({ a: 1, b: "it's; \\\\ -- ?", c: { x: [1] }, d: new Date(0), e: ['x', 'y'], f: Buffer.from('z'), g: null });
    await knex.raw('UPDATE kinds SET g = :g WHERE b = :b', { g: true, b: "it's; \\\\ -- ?" });`);
  expect(result.error).toBeUndefined();
  expect(await fleet.query(`SELECT a, b, c, d::text, e, f, g FROM ${SCHEMA}.kinds`)).toEqual([
    {
      a: 1,
      b: "it's; \\ -- ?",
      c: { x: [1] },
      d: '1970-01-01 00:00:00+00',
      e: ['x', 'y'],
      f: Buffer.from('z'),
      g: true,
    },
  ]);
});

test.each([
  [
    'knex.raw',
    `await knex('notes').insert({ id: 1 }); await knex.raw('COMMIT'); await knex('notes').insert({ id: 2 });`,
  ],
  [
    'knex.raw in other words',
    `await knex('notes').insert({ id: 1 }); await knex.raw('/* done */ end work');`,
  ],
  ['a chain', `await knex('notes').insert({ id: 1 }); await knex.raw('COMMIT AND CHAIN');`],
  ['several statements', `await knex.raw('INSERT INTO notes VALUES (1); COMMIT; BEGIN;');`],
  ["knex's own commit()", `await knex('notes').insert({ id: 1 }); await knex.commit();`],
  ["knex's own rollback()", `await knex('notes').insert({ id: 1 }); await knex.rollback().catch(() => {});`],
  ['a rollback', `await knex.raw('ROLLBACK'); await knex('notes').insert({ id: 1 });`],
])(
  'a migration that ends its transaction itself, by %s, is refused, and nothing of it remains',
  async (_, up) => {
    const { fleet, result } = await run(up);
    expect(result.outcome).toBe('failed');
    expect(result.error).toMatchObject({ code: 'MIGRATION_FAILED', migration: '3_test.js', tenant: 'org_a' });
    expect(result.error?.message).toContain('ended its transaction itself');
    expect(await fleet.query(`SELECT * FROM ${SCHEMA}.notes`)).toEqual([]);
    expect(await fleet.history('org_a')).toHaveLength(2);
  },
);

test('the same of an .sql file; what only looks like an end is none', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_commit.sql', '-- migrate:up\nINSERT INTO notes VALUES (1);\nCOMMIT;\n');
  const { error } = resultOf(await fleet.migrate(), 'org_a');
  expect(error?.message).toContain('3_commit.sql ended its transaction itself');
  expect(error?.hint).toContain('-- migrate:up transaction:false');
  expect(await fleet.query(`SELECT * FROM ${SCHEMA}.notes`)).toEqual([]);

  await fleet.add(
    '3_commit.sql',
    `-- migrate:up
-- COMMIT;
SAVEPOINT a; INSERT INTO notes VALUES (1); ROLLBACK TO SAVEPOINT a; RELEASE a;
DO $$ BEGIN INSERT INTO notes VALUES (2); END; $$;
INSERT INTO notes SELECT CASE WHEN 'COMMIT; END;' <> '' THEN 3 END;
-- migrate:down
COMMIT;
`,
  );
  expect(resultOf(await fleet.migrate(), 'org_a').error).toBeUndefined();
  expect(await fleet.query(`SELECT id FROM ${SCHEMA}.notes ORDER BY 1`)).toEqual([{ id: 2 }, { id: 3 }]);
  const undone = resultOf(await fleet.rollback({ tenants: ['org_a'] }), 'org_a');
  expect(undone.error?.hint).toContain('-- migrate:down transaction:false');
});

test('a migration that goes on after a failed statement is refused, with the failure that came first', async () => {
  const { fleet, result } = await run(`await knex('nots').insert({ id: 1 }).catch(() => {});`);
  expect(result.outcome).toBe('failed');
  expect(result.error?.message).toContain('went on after a statement had failed');
  expect(result.error?.hint).toContain('savepoint');
  const again = await run(
    `await knex('nots').insert({ id: 1 }).catch(() => {}); await knex('notes').insert({ id: 2 });`,
  );
  expect(again.result.error).toMatchObject({ sqlstate: '42P01', message: 'relation "nots" does not exist' });
  expect(await fleet.history('org_a')).toHaveLength(2);
});

test('a migration that moves the search_path does not move it for the next one, nor the history', async () => {
  const fleet = await createFleet(['org_a', 'org_b'], { maxConnections: 2 });
  await fleet.add(
    '3_move.sql',
    "-- migrate:up\nSET search_path TO public;\nSELECT set_config('search_path', '', false);",
  );
  await fleet.add('4_after.sql', createTable('after_it'));
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 2 });
  expect(await fleet.tables('org_a')).toContain('after_it');
  expect(await fleet.tables('org_b')).toContain('after_it');
});

test('what a migration leaves in its session is not there for the next tenant on the same connection', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c'], { maxConnections: 2 });
  await fleet.add(
    '3_session.sql',
    `-- migrate:up
CREATE TEMP TABLE scratch AS SELECT 1 AS id;
INSERT INTO notes SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 99 AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
SELECT pg_advisory_lock(99);
ALTER TABLE notes ADD was text DEFAULT current_setting('statement_timeout');
SET statement_timeout = '77s';
SET session_replication_role = replica;`,
  );
  expect((await fleet.migrate({ concurrency: 1 })).totals).toMatchObject({ changed: 3, failed: 0 });
  for (const id of ['org_a', 'org_b', 'org_c']) {
    const seen = await fleet.query(`SELECT id, was FROM ${schemaNameFor(id)}.notes`);
    expect(seen).toEqual([{ id: 0, was: '0' }]);
  }
  const { rows } = await fleet.database.query(
    `SELECT current_setting('session_replication_role') AS role, current_setting('application_name') AS name`,
  );
  expect(rows).toEqual([{ role: 'origin', name: 'tenantctl' }]);
});
