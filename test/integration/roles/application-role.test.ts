import { Pool } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { openTenants, type Tenants } from '../../../src/app/open-tenants.ts';
import {
  grantApplication,
  type GrantApplicationOptions,
  type GrantApplicationResult,
} from '../../../src/core/commands/grant-application.ts';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { migrateTenants } from '../../../src/core/commands/migrate-tenants.ts';
import { readGrantPlan } from '../../../src/core/commands/plan-grant.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { provisionTenants } from '../../../src/core/tenant/provision.ts';
import { holdLock } from '../../support/hold-lock.ts';
import { createLeastRole, type LeastRole } from '../../support/least-role.ts';
import { createTable, usualProject } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

const SLOW = '-- migrate:up transaction:false\nSELECT 1;\n-- migrate:down transaction:false\nSELECT 1;';

/** A fleet that belongs to a role with few rights, and an application's role with none. */
async function setOut(tenantRole?: 'one each') {
  const least = await createLeastRole(tenantRole === undefined ? '' : 'CREATEROLE');
  const app = `${least.prefix}_app`;
  await least.testDatabase.query(`CREATE ROLE ${app} LOGIN PASSWORD 'least'`);
  const project = await usualProject({
    'migrations/tenants/20250101000003_serial.sql': createTable(
      'orders',
      'id serial PRIMARY KEY, title text',
    ),
  });
  const database = await least.open();
  const options = {
    folder: project.tenants,
    ...(tenantRole !== undefined && { tenantRole: `${least.prefix}_{schema}` }),
  };
  await migrateMaster(database, { folder: project.master });
  return {
    least,
    app,
    project,
    database,
    query: least.testDatabase.query,
    tenants: openTenants(poolOf(least, app)),
    provision: (...ids: string[]) => provisionTenants(database, ids, options),
    migrate: () => migrateTenants(database, options),
    grant: (given?: GrantApplicationOptions) => grantApplication(database, app, given),
  };
}

function poolOf({ settings }: LeastRole, user: string): Pool {
  const { host, port, database } = settings;
  const pool = new Pool({ host, port, database, user, password: 'least', max: 2 });
  onTestFinished(() => pool.end());
  return pool;
}

const asks = (tenants: Tenants, org: string, sql: string, atLeast?: string) =>
  tenants.run(org, async (client) => (await client.query(sql)).rows as unknown[], { atLeast });

const totals = ({ totals: { upToDate, changed, failed } }: GrantApplicationResult) => ({
  upToDate,
  changed,
  failed,
});

/** Whatever a role was given in the database, but in the schemas of PostgreSQL. */
const RIGHTS = `
  SELECT n.nspname || ' ' || a.privilege_type AS right FROM pg_namespace n, aclexplode(n.nspacl) a WHERE a.grantee = $1::regrole
  UNION ALL SELECT c.oid::regclass || ' ' || a.privilege_type FROM pg_class c, aclexplode(c.relacl) a WHERE a.grantee = $1::regrole
  UNION ALL SELECT d.defaclnamespace::regnamespace || ' default ' || d.defaclobjtype::text || ' ' || a.privilege_type
    FROM pg_default_acl d, aclexplode(d.defaclacl) a WHERE a.grantee = $1::regrole`;

test.each(['the login role', 'a role of its own'])(
  'where %s owns each schema, the application may use tenants and tables, present and later ones, and nothing else',
  async (owner) => {
    const out = await setOut(owner === 'the login role' ? undefined : 'one each');
    const { tenants, app, query, provision, migrate, grant, project } = out;
    await provision('org_a', 'org_b');
    expect(await refusalOf(asks(tenants, 'org_a', 'SELECT 1'))).toMatchObject({ code: 'RIGHTS_MISSING' });

    expect(totals(await grant())).toEqual({ upToDate: 0, changed: 2, failed: 0 });
    expect(totals(await grant())).toEqual({ upToDate: 2, changed: 0, failed: 0 });
    // Four tenants: the last ones are sent as strings. The second time, in phases.
    await provision('org_c', 'org_d', 'org_e', 'org_f');
    await project.write('migrations/tenants/20250101000004_slow.sql', SLOW);
    await project.write('migrations/tenants/20250101000005_links.sql', createTable('links'));
    await provision('org_g');
    expect((await migrate()).totals).toMatchObject({ failed: 0 });
    expect(totals(await grant())).toMatchObject({ changed: 0 });

    for (const org of ['org_a', 'org_c', 'org_f', 'org_g']) {
      for (const sql of ['INSERT INTO links VALUES (1)', 'UPDATE links SET id = 2', 'DELETE FROM links'])
        await asks(tenants, org, sql);
      const insert = `INSERT INTO orders (title) VALUES ('x') RETURNING id`;
      expect(await asks(tenants, org, insert, '20250101000005_links')).toEqual([{ id: 1 }]);
    }
    for (const forbidden of [
      'CREATE TABLE mine ()',
      'DELETE FROM knex_migrations_tenant',
      'SELECT * FROM knex_migrations_tenant_lock',
      `SELECT nextval('knex_migrations_tenant_id_seq')`,
      'UPDATE public.tenants SET status = status',
      'SELECT * FROM tenantctl.runs',
      'SELECT * FROM public.knex_migrations_master',
    ])
      await expect(asks(tenants, 'org_g', forbidden)).rejects.toMatchObject({ code: '42501' });

    await grant({ revoke: true });
    expect(await query(RIGHTS, [app])).toEqual([]);
    await provision('org_h');
    expect(await query(RIGHTS, [app])).toEqual([]);
    expect(totals(await grant({ revoke: true }))).toMatchObject({ changed: 0, failed: 0 });
  },
);

test('what the application may do too much with a history is taken back; a dry run prints all and changes nothing', async () => {
  const { least, app, query, provision, grant, database } = await setOut();
  await provision('org_a', 'org_b');
  const schema = schemaNameFor('org_a');
  await query(`GRANT ALL ON ALL TABLES IN SCHEMA ${schema} TO ${app}`);
  const before = await query(RIGHTS, [app]);
  const plan = await readGrantPlan(database, app);
  expect(await query(RIGHTS, [app])).toEqual(before);
  const statements = plan.tenants.find(({ tenant }) => tenant.clerkOrgId === 'org_a')?.statements ?? [];
  expect(
    statements.filter((statement) => statement.startsWith('REVOKE')).toSorted((a, b) => a.length - b.length),
  ).toEqual([
    expect.stringMatching(/^REVOKE .*INSERT.* ON tid_\w+\.knex_migrations_tenant FROM/),
    expect.stringMatching(/^REVOKE .*SELECT.* ON tid_\w+\.knex_migrations_tenant_lock FROM/),
  ]);
  // What is printed does the same as the command.
  const all = [...plan.statements, ...plan.tenants.flatMap((tenant) => tenant.statements)];
  await least.logInAs(least.name, ...all);
  expect(totals(await grant())).toEqual({ upToDate: 2, changed: 0, failed: 0 });
  expect(
    await query(`SELECT has_table_privilege($1, '${schema}.knex_migrations_tenant', 'DELETE') AS may`, [app]),
  ).toEqual([{ may: false }]);
});

test('a tenant that is being provisioned, or migrated, gets its rights as well', async () => {
  const { tenants, query, provision, grant, least } = await setOut();
  await provision('org_a');
  const lock = await holdLock(least.testDatabase, `tenant:${schemaNameFor('org_a')}`);
  const late = await holdLock(least.testDatabase, `tenant:${schemaNameFor('org_b')}`);
  // Registered by a process that has begun before the role was remembered.
  await query(
    `INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ('org_b', '${schemaNameFor('org_b')}', 'PROVISIONING')`,
  );
  const refused = await grant({ lockWaitMs: 200 });
  expect(totals(refused)).toEqual({ upToDate: 0, changed: 0, failed: 2 });
  expect(refused.tenants[0]?.error).toMatchObject({ code: 'LOCK_TIMEOUT' });
  const granting = grant();
  await lock.release();
  await late.release();
  expect(totals(await granting)).toEqual({ upToDate: 0, changed: 2, failed: 0 });
  expect((await provision('org_b'))[0]?.outcome).toBe('provisioned');
  expect(await asks(tenants, 'org_b', 'SELECT count(*)::int AS n FROM notes')).toEqual([{ n: 0 }]);
});

test('relations of an extension are left as they are; one of another owner fails a provisioning with the remedy', async () => {
  const { app, query, provision, grant, project, least } = await setOut();
  await provision('org_a');
  await grant();
  const owner = `${least.prefix}_owner`;
  await query(`CREATE ROLE ${owner}`);
  // As a managed server makes an extension, and as any function with its owner's rights.
  await query(`CREATE FUNCTION public.make(kind text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    CASE kind WHEN 'extension' THEN
      CREATE TABLE kept (id serial PRIMARY KEY);
      CREATE VIEW seen AS SELECT 1 AS one;
      ALTER EXTENSION plpgsql ADD TABLE kept;
      ALTER EXTENSION plpgsql ADD SEQUENCE kept_id_seq;
      ALTER EXTENSION plpgsql ADD VIEW seen;
    ELSE
      CREATE TABLE theirs (id int);
      ALTER TABLE theirs OWNER TO ${owner};
    END CASE; END $$`);
  await project.write(
    'migrations/tenants/6_extension.sql',
    // Newer minor releases lock the extension.
    `-- migrate:up allow-outside:plpgsql\nSELECT public.make('extension');`,
  );
  expect((await provision('org_b'))[0]?.outcome).toBe('provisioned');
  expect(totals(await grant())).toEqual({ upToDate: 2, changed: 0, failed: 0 });
  for (const kind of ['TABLE kept', 'SEQUENCE kept_id_seq', 'VIEW seen'])
    await query(
      `SET search_path = ${schemaNameFor('org_b')}; ALTER EXTENSION plpgsql DROP ${kind}; RESET search_path`,
    );

  await project.remove('migrations/tenants/6_extension.sql');
  await project.write('migrations/tenants/6_theirs.sql', `-- migrate:up\nSELECT public.make('table');`);
  const [failed] = await provision('org_c');
  expect(failed?.error).toMatchObject({
    sqlstate: '42501',
    tenant: 'org_c',
    message: expect.stringContaining(`may not grant what belongs to ${owner}: GRANT`),
    hint: expect.stringContaining(`GRANT ${owner} TO ${least.name};`),
  });
  await query(`GRANT ${owner} TO ${least.name}`);
  expect((await provision('org_c'))[0]?.outcome).toBe('provisioned');
  expect(
    await query(`SELECT has_table_privilege($1, '${schemaNameFor('org_c')}.theirs', 'DELETE') AS may`, [app]),
  ).toEqual([{ may: true }]);
});

test('a role that cannot be an application is refused, and so is what may not be granted', async () => {
  const { app, query, provision, grant, database, least } = await setOut();
  await provision('org_a', 'org_b');
  const admin = least.testDatabase.settings.user;
  for (const [role, why] of [
    ['nobody at all', 'does not exist'],
    [admin, 'is a superuser'],
    [least.name, 'works as'],
  ] as const)
    expect(await refusalOf(grantApplication(database, role))).toMatchObject({
      code: 'APPLICATION_ROLE_UNUSABLE',
      message: expect.stringContaining(why),
      hint: expect.any(String),
    });
  expect(await refusalOf(grantApplication(database, ''))).toMatchObject({ code: 'USAGE' });

  await query(`CREATE TABLE ${schemaNameFor('org_b')}.foreign_table (id int)`);
  const result = await grant();
  expect(totals(result)).toEqual({ upToDate: 0, changed: 1, failed: 1 });
  expect(result.tenants.find(({ outcome }) => outcome === 'failed')?.error).toMatchObject({
    code: 'RIGHTS_MISSING',
    tenant: 'org_b',
    message: expect.stringContaining('foreign_table'),
  });
  // A failed grant is not the failure of a migration.
  expect(await query('SELECT FROM tenantctl.tenant_failures')).toEqual([]);
  await query(`DROP TABLE ${schemaNameFor('org_b')}.foreign_table`);
  expect(totals(await grant())).toEqual({ upToDate: 1, changed: 1, failed: 0 });

  await query('ALTER TABLE tenants OWNER TO CURRENT_USER');
  await query(`REVOKE SELECT ON tenants FROM ${app}`);
  await query(`GRANT SELECT, INSERT, UPDATE, DELETE ON tenants TO ${least.name}`);
  expect(await refusalOf(grant())).toMatchObject({
    code: 'RIGHTS_MISSING',
    hint: expect.stringMatching(/GRANT SELECT ON "?public"?\."?tenants"? TO/),
  });
  // A role that is gone is no reason to provision no tenants.
  await query(`DROP OWNED BY ${app}`);
  await query(`DROP ROLE ${app}`);
  expect((await provision('org_z'))[0]?.outcome).toBe('provisioned');
  expect(totals(await grantApplication(database, app, { revoke: true }))).toMatchObject({ failed: 0 });
});
