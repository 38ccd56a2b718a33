import { randomBytes } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { DEFAULT_NAMES, openTenants } from '../../../src/app/tenants.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import {
  codeOf,
  createApplication,
  openPool,
  setStatus,
  WHO,
  whoIs,
  type Application,
} from '../../support/application.ts';

const SCHEMA = schemaNameFor('org_a');
const LATEST = '20250101000002_tags';

/** The texts that a pool sends, one for each round trip. */
function sentBy({ pool }: Application): string[] {
  const sent: string[] = [];
  pool.on('connect', (client) => {
    const query = client.query.bind(client) as (...given: unknown[]) => unknown;
    Object.assign(client, {
      query: (given: string | { text: string }, ...more: unknown[]) => {
        sent.push(typeof given === 'string' ? given : given.text);
        return query(given, ...more);
      },
    });
  });
  return sent;
}

test('a call takes one round trip before its work, and one after it, whatever its options', async () => {
  const application = await createApplication();
  const sent = sentBy(application);
  const { tenants } = application;
  expect(await whoIs(tenants, 'org_a')).toBe('org_a');
  expect(sent.map((text) => text.slice(0, 10).trim())).toEqual([
    'BEGIN;\nSEL',
    WHO.slice(0, 10),
    'SET LOCAL',
  ]);
  const options = {
    atLeast: LATEST,
    readOnly: true,
    isolation: 'serializable',
    statementTimeoutMs: 5000,
    asOwner: true,
  } as const;
  const seen = await tenants.run(
    'org_b',
    (client) =>
      client.query(`SELECT org, current_setting('transaction_read_only') AS read_only,
        current_setting('transaction_isolation') AS isolation, current_setting('statement_timeout') AS timeout FROM who`),
    options,
  );
  expect(seen.rows).toEqual([{ org: 'org_b', read_only: 'on', isolation: 'serializable', timeout: '5s' }]);
  expect(sent).toHaveLength(6);
  expect(sent.at(-1)).toMatch(/COMMIT$/);
});

test('an unknown organization, and every status but ACTIVE, is refused by its code', async () => {
  const application = await createApplication();
  const { tenants } = application;
  expect(await codeOf(whoIs(tenants, 'org_nobody'))).toBe('TENANT_UNKNOWN');
  for (const none of ['', undefined, null] as string[])
    expect(await codeOf(whoIs(tenants, none))).toBe('ORGANIZATION_ID_INVALID');
  for (const status of ['PROVISIONING', 'FAILED', 'SUSPENDED', 'ARCHIVED', 'active']) {
    await setStatus(application, 'org_a', status);
    const refused = await tenants
      .run('org_a', () => Promise.reject(new Error('not reached')))
      .catch((e) => e);
    expect(refused).toMatchObject({ code: 'TENANT_NOT_ACTIVE', tenant: 'org_a' });
    expect(refused.message).toContain(status);
    expect(await tenants.find('org_a')).toMatchObject({ schema: SCHEMA });
  }
  await setStatus(application, 'org_a', 'ACTIVE');
  expect(await tenants.find('org_a')).toEqual({ clerkOrgId: 'org_a', schema: SCHEMA, status: 'ACTIVE' });
  expect(await codeOf(tenants.find('org_nobody'))).toBe('TENANT_UNKNOWN');
  await application.query(`ALTER TABLE tenants ALTER schema_name TYPE varchar(63) COLLATE "POSIX"`);
  expect(await tenants.run('org_a', (client) => client.query(WHO), { asOwner: true })).toMatchObject({
    rowCount: 1,
  });
  expect(await whoIs(tenants, 'org_a')).toBe('org_a');
});

test('a suspension counts from the next call on; with cacheMs after that time, or after forget', async () => {
  const application = await createApplication();
  const { pool, tenants } = application;
  const trusting = openTenants(pool, { cacheMs: 60_000 });
  const brief = openTenants(pool, { cacheMs: 300 });
  for (const each of [tenants, trusting, brief]) expect(await whoIs(each, 'org_a')).toBe('org_a');
  await setStatus(application, 'org_a', 'SUSPENDED');
  expect(await codeOf(whoIs(tenants, 'org_a'))).toBe('TENANT_NOT_ACTIVE');
  expect(await whoIs(trusting, 'org_a')).toBe('org_a');
  trusting.forget('org_b');
  expect(await whoIs(trusting, 'org_a')).toBe('org_a');
  trusting.forget('org_a');
  expect(await codeOf(whoIs(trusting, 'org_a'))).toBe('TENANT_NOT_ACTIVE');
  await expect.poll(() => codeOf(whoIs(brief, 'org_a'))).toBe('TENANT_NOT_ACTIVE');
  await setStatus(application, 'org_a', 'ACTIVE');
  expect(await whoIs(brief, 'org_a')).toBe('org_a');
  expect(await whoIs(trusting, 'org_a')).toBe('org_a');
  // A schema that is gone is looked up anew at the next call, whatever was remembered.
  await application.query(`ALTER SCHEMA ${SCHEMA} RENAME TO tid_new;
    UPDATE tenants SET schema_name = 'tid_new' WHERE clerk_org_id = 'org_a'`);
  expect(await codeOf(whoIs(trusting, 'org_a'))).toBe('SCHEMA_MISSING');
  expect(await whoIs(trusting, 'org_a')).toBe('org_a');
});

test('a missing schema is refused, also with atLeast and as the owner: nothing falls through to public', async () => {
  const application = await createApplication();
  const { tenants } = application;
  await application.query(`DROP SCHEMA ${SCHEMA} CASCADE`);
  for (const options of [{}, { atLeast: LATEST }, { asOwner: true }])
    expect(await codeOf(tenants.run('org_a', (client) => client.query(WHO), options))).toBe('SCHEMA_MISSING');
  await application.query(
    `ALTER TABLE tenants ALTER schema_name DROP NOT NULL; UPDATE tenants SET schema_name = NULL WHERE clerk_org_id = 'org_a'`,
  );
  expect(await codeOf(whoIs(tenants, 'org_a'))).toBe('SCHEMA_MISSING');
});

test('a tenant behind is refused, by the name with or without extension, and never asked of public', async () => {
  const application = await createApplication();
  const { tenants, pool, query } = application;
  const at = (atLeast: string, org = 'org_a') =>
    codeOf(
      tenants.run(org, async (client) => (await client.query(WHO)).rows[0]?.org as unknown, { atLeast }),
    );
  for (const name of [LATEST, `${LATEST}.sql`, `${LATEST}.ts`, `${LATEST}.cjs`])
    expect(await at(name)).toBe('org_a');
  await query(
    `UPDATE ${SCHEMA}.knex_migrations_tenant SET name = '${LATEST}.js' WHERE name = '${LATEST}.sql'`,
  );
  expect(await at(`${LATEST}.ts`)).toBe('org_a');
  expect(await at('20990101000000_later.ts')).toBe('TENANT_BEHIND');
  expect(await at(LATEST, 'org_nobody')).toBe('TENANT_UNKNOWN');

  await query(`CREATE TABLE public.knex_migrations_tenant AS TABLE ${SCHEMA}.knex_migrations_tenant`);
  expect(await at(LATEST, 'org_nobody')).toBe('TENANT_UNKNOWN');
  await query(`DELETE FROM ${SCHEMA}.knex_migrations_tenant WHERE name LIKE '${LATEST}%'`);
  expect(await at(LATEST)).toBe('TENANT_BEHIND');
  await query(`DROP TABLE ${SCHEMA}.knex_migrations_tenant CASCADE`);
  expect(await at(LATEST)).toBe('TENANT_BEHIND');
  await setStatus(application, 'org_a', 'SUSPENDED');
  expect(await at(LATEST)).toBe('TENANT_NOT_ACTIVE');
  // For every call, unless it has its own.
  const strict = openTenants(pool, { atLeast: LATEST });
  expect(await whoIs(strict, 'org_b')).toBe('org_b');
  expect(await codeOf(strict.run('org_b', (client) => client.query(WHO), { atLeast: 'later' }))).toBe(
    'TENANT_BEHIND',
  );
});

test('missing rights have their own code: the registry, the schema, the history, the owner', async () => {
  const { fleet, query } = await createApplication();
  const app = `r${randomBytes(5).toString('hex')}`;
  onTestFinished(() => query(`DROP OWNED BY ${app}; DROP ROLE ${app}`).then(() => undefined));
  await query(`CREATE ROLE ${app} LOGIN`);
  const url = new URL(fleet.testDatabase.url);
  url.username = app;
  const tenants = openTenants(openPool({ connectionString: url.href, max: 1 }));
  const call = (options = {}) =>
    tenants.run('org_a', async (client) => (await client.query(WHO)).rows[0]?.org as unknown, options);
  expect(await codeOf(call())).toBe('RIGHTS_MISSING');
  await query(`GRANT SELECT ON tenants, who TO ${app}`);
  // Without USAGE, PostgreSQL passes over the schema: `who` would be the one in public.
  expect(await codeOf(call())).toBe('RIGHTS_MISSING');
  await query(`GRANT USAGE ON SCHEMA ${SCHEMA} TO ${app}`);
  expect(await codeOf(call())).toBe('42501');
  await query(`GRANT SELECT ON ${SCHEMA}.who TO ${app}`);
  expect(await call()).toBe('org_a');
  expect(await codeOf(call({ atLeast: LATEST }))).toBe('RIGHTS_MISSING');
  await query(`GRANT SELECT ON ${SCHEMA}.knex_migrations_tenant TO ${app}`);
  expect(await call({ atLeast: LATEST })).toBe('org_a');
  await query(`ALTER ROLE ${app} SET search_path = pg_catalog`);
  expect(await codeOf(call({ asOwner: true }))).toBe('RIGHTS_MISSING');
});

test('as the owner, with a role for each tenant: what it makes is the owner’s, also if only the owner has rights', async () => {
  const { fleet, query } = await createApplication();
  const app = `r${randomBytes(5).toString('hex')}`;
  onTestFinished(() =>
    query(
      `REASSIGN OWNED BY ${app}_owner TO CURRENT_USER; DROP OWNED BY ${app}_owner, ${app}; DROP ROLE ${app}, ${app}_owner`,
    ).then(() => undefined),
  );
  await query(`CREATE ROLE ${app} LOGIN NOINHERIT; CREATE ROLE ${app}_owner; GRANT ${app}_owner TO ${app};
    GRANT SELECT ON tenants TO ${app}; ALTER SCHEMA ${SCHEMA} OWNER TO ${app}_owner; ALTER TABLE ${SCHEMA}.who OWNER TO ${app}_owner`);
  const url = new URL(fleet.testDatabase.url);
  url.username = app;
  const pool = openPool({ connectionString: url.href, max: 1 });
  const tenants = openTenants(pool);
  expect(await codeOf(whoIs(tenants, 'org_a'))).toBe('RIGHTS_MISSING');
  await tenants.run('org_a', (client) => client.query(`CREATE TABLE made AS ${WHO}`), { asOwner: true });
  expect(
    await query(
      `SELECT tableowner AS owner, (SELECT org FROM ${SCHEMA}.made) AS org FROM pg_tables WHERE tablename = 'made'`,
    ),
  ).toEqual([{ owner: `${app}_owner`, org: 'org_a' }]);
  expect((await pool.query('SELECT current_user AS role')).rows).toEqual([{ role: app }]);
});

test('a registry and histories under other names are read by those names', async () => {
  const { pool, query } = await createApplication();
  await query(`CREATE SCHEMA crm; CREATE TYPE crm.state AS ENUM ('live', 'trial', 'off');
    CREATE TABLE crm."Customers" (org text PRIMARY KEY, "Schema" name, state crm.state);
    INSERT INTO crm."Customers" VALUES ('org_a', '${SCHEMA}', 'trial'), ('org_b', '${SCHEMA}', 'off');
    ALTER TABLE ${SCHEMA}.knex_migrations_tenant RENAME TO "History"`);
  const tenants = openTenants(pool, {
    atLeast: LATEST,
    names: {
      ...DEFAULT_NAMES,
      registry: { schema: 'crm', table: 'Customers' },
      columns: { ...DEFAULT_NAMES.columns, organization: 'org', schema: 'Schema', status: 'state' },
      statuses: { ...DEFAULT_NAMES.statuses, ACTIVE: ['live', 'trial'], SUSPENDED: ['off'] },
      tenantHistory: 'History',
    },
  });
  expect(await whoIs(tenants, 'org_a')).toBe('org_a');
  expect(await tenants.find('org_b')).toMatchObject({ status: 'SUSPENDED' });
  expect(await codeOf(whoIs(tenants, 'org_b'))).toBe('TENANT_NOT_ACTIVE');
  for await (const each of tenants.each((client) => client.query(WHO)))
    expect(each).toMatchObject({ clerkOrgId: 'org_a', ok: true });
});
