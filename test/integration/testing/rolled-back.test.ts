import { drizzle } from 'drizzle-orm/node-postgres';
import { sql as drizzleSql } from 'drizzle-orm';
import createKnex from 'knex';
import { Kysely, PostgresDialect, sql } from 'kysely';
import { beforeAll, afterAll, expect, inject, onTestFinished, test } from 'vitest';
import { withTenant } from '../../../src/app/knex.ts';
import { openTenants } from '../../../src/app/tenants.ts';
import { createTemplate, type RolledBackTenant, type Template } from '../../../src/testing.ts';
import { createStandingProject, USUAL_FILES, createTable, type TestProject } from '../../support/project.ts';

let project: TestProject;
let template: Template;

beforeAll(async () => {
  project = await createStandingProject({
    ...USUAL_FILES,
    'migrations/tenants/20250101000003_users.sql': createTable('users', 'email text PRIMARY KEY'),
  });
  template = await createTemplate({
    folder: project.folder,
    variables: { DATABASE_URL: inject('serverUrl') },
    tenants: ['acme'],
  });
});

afterAll(async () => {
  await template.close();
  await project.remove('.');
});

async function acme(): Promise<RolledBackTenant> {
  const tenant = await template.rolledBack('acme');
  onTestFinished(() => tenant.close());
  return tenant;
}

const emails = async ({ client }: RolledBackTenant) => {
  const { rows } = await client.query<{ email: string }>('SELECT email FROM users ORDER BY 1');
  return rows.map(({ email }) => email);
};

test('what the application commits is seen by the test, and by no other one', async () => {
  const tenant = await acme();
  const other = await acme();
  const client = await tenant.pool.connect();
  await client.query('BEGIN ISOLATION LEVEL SERIALIZABLE');
  await client.query({ text: 'INSERT INTO users VALUES ($1)', values: ['a'] });
  await client.query('commit; -- of the application');
  await client.query('START TRANSACTION');
  await client.query(`INSERT INTO users VALUES ('b')`);
  await expect(client.query(`INSERT INTO users VALUES ('a')`)).rejects.toMatchObject({ code: '23505' });
  await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: '25P02' });
  await client.query('ROLLBACK');
  client.release();
  await expect(tenant.pool.query(`INSERT INTO users VALUES ('a')`)).rejects.toMatchObject({ code: '23505' });
  await Promise.all(['c', 'd'].map((email) => tenant.pool.query('INSERT INTO users VALUES ($1)', [email])));
  expect(await emails(tenant)).toEqual(['a', 'c', 'd']);
  expect(await emails(other)).toEqual([]);
  await tenant.close();
  expect(await emails(await acme())).toEqual([]);
});

test('a COMMIT of a transaction that had failed is refused, and the next transaction works', async () => {
  const tenant = await acme();
  await tenant.client.query('BEGIN');
  await expect(tenant.client.query('SELECT 1/0')).rejects.toMatchObject({ code: '22012' });
  await expect(tenant.client.query('COMMIT')).rejects.toMatchObject({ code: '25P02' });
  await tenant.client.query(`BEGIN; INSERT INTO users VALUES ('a'); COMMIT`);
  await tenant.client.query('ROLLBACK');
  await expect(tenant.client.query(`DO $$ BEGIN COMMIT; END $$`)).rejects.toThrow(
    'invalid transaction termination',
  );
  expect(await emails(tenant)).toEqual(['a']);
});

test('a statement that ends the transaction of the test is refused, and nothing after it is committed', async () => {
  const tenant = await acme();
  await expect(tenant.client.query(`BEGIN; INSERT INTO users VALUES ('a'); ROLLBACK`)).rejects.toMatchObject({
    code: 'TRANSACTION_ABORTED',
  });
  await expect(tenant.client.query(`SELECT 1; ROLLBACK; SELECT 1/0`)).rejects.toMatchObject({
    code: 'TRANSACTION_ABORTED',
  });
  await tenant.client.query(`INSERT INTO users VALUES ('b')`);
  expect(await emails(tenant)).toEqual(['b']);
  expect(await emails(await acme())).toEqual([]);
});

test('Knex, Kysely, Drizzle and openTenants work on it, with their transactions', async () => {
  const tenant = await acme();
  const knex = tenant.knex(createKnex, { searchPath: 'ignored' });
  await knex('users').insert({ email: 'knex' });
  await expect(knex('users').insert({ email: 'knex' })).rejects.toMatchObject({ code: '23505' });
  const failed = knex.transaction(async (trx) => {
    await trx('users').insert({ email: 'outer' });
    await trx.transaction((inner) => inner('users').insert({ email: 'inner' }));
    throw new Error('stop');
  });
  await expect(failed).rejects.toThrow('stop');
  await knex.transaction((trx) => trx('users').insert({ email: 'knex in a transaction' }));
  await withTenant(knex, 'acme', (trx) => trx('users').insert({ email: 'withTenant' }));

  const kysely = new Kysely<{ users: { email: string } }>({
    dialect: new PostgresDialect({ pool: tenant.pool }),
  });
  await kysely.transaction().execute((trx) => trx.insertInto('users').values({ email: 'kysely' }).execute());
  await sql`SELECT 1`.execute(kysely);

  const db = drizzle({ client: tenant.pool });
  await db.transaction(async (tx) => {
    await tx.execute(drizzleSql`INSERT INTO users VALUES ('drizzle')`);
  });

  const tenants = openTenants(tenant.pool);
  await tenants.run('acme', (client) => client.query(`INSERT INTO users VALUES ('openTenants')`));
  const refused = tenants.run('acme', async (client) => {
    await client.query(`INSERT INTO users VALUES ('rolled back')`);
    throw new Error('stop');
  });
  await expect(refused).rejects.toThrow('stop');
  expect(await emails(tenant)).toEqual([
    'drizzle',
    'knex',
    'knex in a transaction',
    'kysely',
    'openTenants',
    'withTenant',
  ]);
  await knex.destroy();
  expect(await emails(await acme())).toEqual([]);
});

test('code that uses a second connection while it has the first one is told so', async () => {
  const tenant = await acme();
  const client = await tenant.pool.connect();
  await expect(tenant.pool.connect()).rejects.toThrow('timeout exceeded');
  client.release();
  expect(await tenant.pool.query('SELECT 1')).toMatchObject({ rowCount: 1 });
  await expect(template.rolledBack('')).rejects.toMatchObject({ code: 'ORGANIZATION_ID_INVALID' });
});
