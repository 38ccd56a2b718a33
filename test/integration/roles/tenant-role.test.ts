import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { provisionTenants } from '../../../src/core/tenant/provision.ts';
import { rehearseTenants } from '../../../src/core/commands/rehearse.ts';
import { seedTenants } from '../../../src/core/commands/seed-tenants.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { fleetOn, resultOf, type TestFleet } from '../../support/fleet.ts';
import { createLeastRole, type LeastRole } from '../../support/least-role.ts';
import { createTable, knexMigration, usualProject } from '../../support/project.ts';
import { idOf } from '../../support/remember.ts';

const [A, B] = ['org_a', 'org_b'].map(schemaNameFor) as [string, string];

interface Owned {
  readonly least: LeastRole;
  readonly fleet: TestFleet;
  readonly tenantRole: string;
  readonly roleOf: (organization: string) => string;
  provision(...organizations: string[]): ReturnType<typeof provisionTenants>;
  migrate(options?: object): ReturnType<TestFleet['migrate']>;
  rollback(options?: object): ReturnType<TestFleet['rollback']>;
}

/** A fleet whose schemas belong to roles of their own, run by a role that may do little else than create those. */
async function ownedFleet(
  organizations: readonly string[],
  attributes: '' | 'CREATEROLE' = 'CREATEROLE',
): Promise<Owned> {
  const least = await createLeastRole(attributes);
  const database = await least.open();
  const project = await usualProject();
  await migrateMaster(database, { folder: project.master });
  const fleet = fleetOn(least.testDatabase, database, project);
  const tenantRole = `${least.prefix}_{schema}`;
  const owned: Owned = {
    least,
    fleet,
    tenantRole,
    roleOf: (organization) => `${least.prefix}_${schemaNameFor(organization)}`,
    provision: (...ids) => provisionTenants(database, ids, { folder: project.tenants, tenantRole }),
    migrate: (options) => fleet.migrate({ tenantRole, ...options }),
    rollback: (options) => fleet.rollback({ tenantRole, ...options }),
  };
  const results = await owned.provision(...organizations);
  for (const { error } of results) if (error !== undefined) throw error;
  return owned;
}

const ownersOf = async ({ fleet }: Owned, schema: string) =>
  fleet.query<{ name: string; owner: string }>(
    `SELECT relname::text AS name, pg_get_userbyid(relowner)::text AS owner FROM pg_class
     WHERE relnamespace = '${schema}'::regnamespace AND relkind = 'r' ORDER BY 1`,
  );

describe('a tenant with a role of its own', () => {
  test('owns its schema and what its migrations create, and nothing of tenantctl', async () => {
    const owned = await ownedFleet(['org_a', 'org_b', 'org_c', 'org_d', 'org_e']);
    for (const organization of ['org_a', 'org_e']) {
      const role = owned.roleOf(organization);
      expect(await ownersOf(owned, schemaNameFor(organization))).toEqual([
        { name: 'knex_migrations_tenant', owner: owned.least.name },
        { name: 'knex_migrations_tenant_lock', owner: owned.least.name },
        { name: 'notes', owner: role },
        { name: 'tags', owner: role },
      ]);
    }
    expect(
      await owned.fleet.query(
        `SELECT n.nspname = t.schema_name AS same, pg_get_userbyid(n.nspowner) = '${owned.least.prefix}_' || t.schema_name AS own
         FROM public.tenants t LEFT JOIN pg_namespace n ON n.nspname = t.schema_name`,
      ),
    ).toEqual(Array.from({ length: 5 }, () => ({ same: true, own: true })));
    expect(
      await owned.fleet.query(
        `SELECT rolcanlogin, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = '${owned.roleOf('org_a')}'`,
      ),
    ).toEqual([{ rolcanlogin: false, rolsuper: false, rolcreaterole: false }]);
    expect(await owned.fleet.query('SELECT count(*)::int AS n FROM tenantctl.trusted_stamps')).toEqual([
      { n: 5 },
    ]);
  });

  test('logs in, works in its schema, and cannot read another tenant, the registry or tenantctl', async () => {
    const { least, roleOf } = await ownedFleet(['org_a', 'org_b']);
    const me = roleOf('org_a');
    await least.logInAs(me, `INSERT INTO ${A}.notes VALUES (1)`, `CREATE TABLE ${A}.more ()`);
    for (const [statement, message] of [
      [`SELECT * FROM ${B}.notes`, `permission denied for schema ${B}`],
      [`INSERT INTO ${B}.notes VALUES (1)`, `permission denied for schema ${B}`],
      [`CREATE TABLE ${B}.more ()`, `permission denied for schema ${B}`],
      [`DROP TABLE ${B}.notes`, `permission denied for schema ${B}`],
      ['SELECT * FROM public.tenants', 'permission denied for table tenants'],
      ['CREATE TABLE public.more ()', 'permission denied for schema public'],
      ['SELECT * FROM tenantctl.stamps', 'permission denied for schema tenantctl'],
      [
        `INSERT INTO ${A}.knex_migrations_tenant (name, batch) VALUES ('x', 9)`,
        'permission denied for table',
      ],
      ['CREATE SCHEMA mine', 'permission denied for database'],
      [`SET ROLE "${roleOf('org_b')}"`, 'permission denied to set role'],
      [`SET ROLE "${least.name}"`, 'permission denied to set role'],
    ] as const) {
      await expect(least.logInAs(me, statement)).rejects.toThrow(message);
    }
  });

  test.each([true, false])(
    'has its migrations run as itself, there and back (compiled: %s)',
    async (compile) => {
      const owned = await ownedFleet(['org_a', 'org_b', 'org_c', 'org_d', 'org_e', 'org_f']);
      await owned.fleet.add(
        '3_who.sql',
        `-- migrate:up
CREATE TABLE who AS SELECT current_user::text AS up, session_user::text AS session;
ALTER TABLE notes ADD COLUMN more int;
-- migrate:down
DROP TABLE who;
ALTER TABLE tags ADD COLUMN undone_by text DEFAULT current_user::text;
INSERT INTO tags (id) VALUES (1);
`,
      );
      const result = await owned.migrate({ compile });
      expect(result.totals).toMatchObject({ changed: 6, failed: 0 });
      for (const organization of ['org_a', 'org_f']) {
        expect(await owned.fleet.query(`SELECT * FROM ${schemaNameFor(organization)}.who`)).toEqual([
          { up: owned.roleOf(organization), session: owned.least.name },
        ]);
        expect(await owned.fleet.history(organization)).toContain('3_who.sql@2');
      }
      expect((await owned.rollback({ compile })).totals).toMatchObject({ changed: 6, failed: 0 });
      for (const organization of ['org_a', 'org_f']) {
        expect(await owned.fleet.query(`SELECT undone_by FROM ${schemaNameFor(organization)}.tags`)).toEqual([
          { undone_by: owned.roleOf(organization) },
        ]);
      }
    },
  );

  test('has its untransacted migrations run as itself, and the record written as tenantctl', async () => {
    const owned = await ownedFleet(['org_a', 'org_b']);
    await owned.fleet.add(
      '3_outside.sql',
      `-- migrate:up transaction:false
CREATE TABLE who (name text DEFAULT current_user::text);
INSERT INTO who DEFAULT VALUES;
CREATE INDEX CONCURRENTLY who_name ON who (name);`,
    );
    const outside = await owned.migrate();
    expect(outside.tenants.map(({ error }) => error?.message)).toEqual([undefined, undefined]);
    expect(await owned.fleet.query(`SELECT * FROM ${A}.who`)).toEqual([{ name: owned.roleOf('org_a') }]);
    await owned.fleet.add('4_fails.sql', `-- migrate:up transaction:false\nSELECT * FROM ${B}.notes;`);
    const failed = resultOf(await owned.migrate({ tenants: ['org_a'] }), 'org_a');
    expect(failed.error).toMatchObject({ sqlstate: '42501' });
    expect(await owned.fleet.query('SELECT * FROM tenantctl.intents')).toEqual([]);
  });

  test.each([
    ['reads a neighbour', `SELECT * FROM ${B}.notes`],
    ['reads the registry', 'SELECT * FROM public.tenants'],
    ['changes a shared table', 'ALTER TABLE public.shared ADD COLUMN x int'],
    ['drops a neighbour', `DROP SCHEMA ${B} CASCADE`],
    ['reaches out of a block', `DO $$ BEGIN EXECUTE 'DROP TABLE ${B}.notes'; END $$`],
    ['changes its history', 'DELETE FROM knex_migrations_tenant'],
  ])('has a migration that %s stopped by PostgreSQL', async (_, statement) => {
    const owned = await ownedFleet(['org_a', 'org_b']);
    await owned.fleet.query('CREATE TABLE public.shared ()');
    await owned.fleet.add('3_reach.sql', `-- migrate:up\n${statement};`);
    const result = resultOf(await owned.migrate({ tenants: ['org_a'] }), 'org_a');
    expect(result.error).toMatchObject({ code: 'MIGRATION_FAILED', sqlstate: '42501' });
    expect(result.error?.hint).toContain(`it ran as ${owned.roleOf('org_a')}`);
    expect(await owned.fleet.history('org_a')).toHaveLength(2);
    expect(await owned.fleet.tables('org_b')).toEqual(['notes', 'tags']);
  });

  test('may refer to a shared table that a master migration has opened to all', async () => {
    const owned = await ownedFleet(['org_a', 'org_b', 'org_c']);
    await owned.fleet.project.write(
      'migrations/master/20250102000000_countries.sql',
      `-- migrate:up
CREATE TABLE countries (code text PRIMARY KEY);
INSERT INTO countries VALUES ('de');
GRANT SELECT, REFERENCES ON countries TO PUBLIC;`,
    );
    await migrateMaster(owned.fleet.database, { folder: owned.fleet.project.master });
    await owned.fleet.add(
      '3_country.sql',
      `-- migrate:up
ALTER TABLE notes ADD COLUMN country text REFERENCES public.countries;
INSERT INTO notes VALUES (1, 'de');`,
    );
    expect((await owned.migrate()).totals).toMatchObject({ changed: 3, failed: 0 });
    expect(await owned.fleet.query(`SELECT country FROM ${B}.notes`)).toEqual([{ country: 'de' }]);
  });

  test('may ask for an extension that is there already', async () => {
    const owned = await ownedFleet(['org_a', 'org_b', 'org_c']);
    await owned.fleet.add('3_extension.sql', '-- migrate:up\nCREATE EXTENSION IF NOT EXISTS plpgsql;');
    expect((await owned.migrate()).totals).toMatchObject({ changed: 3, failed: 0 });
  });
});

describe('a migration that would act as somebody else', () => {
  test.each([
    'SET ROLE none',
    'RESET ROLE',
    'SET LOCAL SESSION AUTHORIZATION DEFAULT',
    "SELECT set_config('role', 'none', true)",
    'DO $$ BEGIN\nRESET\tROLE; END $$',
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET role = 'none' AS 'SELECT 1'",
  ])('with %s is refused before it is sent', async (statement) => {
    const owned = await ownedFleet(['org_a']);
    await owned.fleet.add('3_escape.sql', `-- migrate:up\nSELECT 1;\n${statement};`);
    const inSql = resultOf(await owned.migrate(), 'org_a');
    expect(inSql.error?.message).toContain('3_escape.sql changes its role itself');
    await owned.fleet.project.remove('migrations/tenants/3_escape.sql');
    for (const config of ['', 'export const config = { transaction: false };']) {
      await owned.fleet.add(
        '3_escape.js',
        knexMigration(
          `await knex.raw(${JSON.stringify(statement)}).catch(() => {}); await knex.schema.createTable('x', (t) => t.increments());`,
          '',
          config,
        ),
      );
      const inKnex = resultOf(await owned.migrate(), 'org_a');
      expect({ config, outcome: inKnex.outcome }).toEqual({ config, outcome: 'failed' });
      expect(inKnex.error?.message).toContain('3_escape.js changes its role itself');
      await owned.fleet.project.remove('migrations/tenants/3_escape.js');
    }
    expect(await owned.fleet.history('org_a')).toHaveLength(2);
  });
});

describe('a tenant whose role cannot be used', () => {
  test('is a failure of its own, told before anything is done to it; the others go on', async () => {
    const owned = await ownedFleet(['org_a', 'org_b', 'org_c', 'org_d']);
    const { least, fleet, roleOf } = owned;
    await fleet.add('3_more.sql', createTable('more'));
    await fleet.query(`ALTER SCHEMA ${A} OWNER TO ${least.name}`);
    await fleet.query(`REVOKE "${roleOf('org_b')}" FROM ${least.name} CASCADE`);
    await fleet.query(`ALTER SCHEMA ${schemaNameFor('org_c')} OWNER TO CURRENT_USER`);
    const result = await owned.migrate();
    expect(result.totals).toMatchObject({ changed: 1, failed: 3 });
    const messages = ['org_a', 'org_b', 'org_c'].map((id) => resultOf(result, id).error);
    expect(messages.map((error) => error?.code)).toEqual(Array(3).fill('TENANT_ROLE_UNUSABLE'));
    expect(messages.map((error) => error?.message)).toEqual([
      expect.stringContaining(`belongs to ${least.name}, which tenantctl itself works as`),
      expect.stringContaining(`is not a member of the role "${roleOf('org_b')}"`),
      expect.stringContaining('a superuser'),
    ]);
    expect(await fleet.tables('org_a')).toEqual(['notes', 'tags']);
    // The remedy is SQL that works as it is.
    const hint = messages[1]?.hint ?? '';
    await fleet.query(hint.slice(hint.indexOf('GRANT')));
    expect(resultOf(await owned.migrate({ tenants: ['org_b'] }), 'org_b').outcome).toBe('migrated');
    expect((await owned.rollback({ tenants: ['org_a', 'org_b'] })).totals).toMatchObject({
      changed: 1,
      failed: 1,
    });
  });

  test('without TENANT_ROLE it runs as ever', async () => {
    const owned = await ownedFleet(['org_a']);
    await owned.fleet.add('3_more.sql', createTable('more'));
    expect(resultOf(await owned.fleet.migrate(), 'org_a').outcome).toBe('migrated');
    expect(await ownersOf(owned, A)).toContainEqual({ name: 'more', owner: owned.least.name });
  });
});

describe('the role of a new tenant', () => {
  test('has to be there where tenantctl may not create roles; the error has the SQL', async () => {
    const owned = await ownedFleet([], '');
    const [refused] = await owned.provision('org_a');
    expect(refused?.error).toMatchObject({ code: 'TENANT_ROLE_UNUSABLE' });
    expect(refused?.error?.message).toContain('may not create roles');
    expect(await owned.fleet.query('SELECT * FROM public.tenants')).toEqual([]);
    const [sql = ''] = /CREATE ROLE .*?; GRANT .*?;/.exec(refused?.error?.hint ?? '') ?? [];
    await owned.fleet.query(sql);
    expect((await owned.provision('org_a'))[0]?.outcome).toBe('provisioned');
    expect(await ownersOf(owned, A)).toContainEqual({ name: 'notes', owner: owned.roleOf('org_a') });
  });

  test('may be one for all, created once although many are made at the same time', async () => {
    const owned = await ownedFleet([]);
    const tenantRole = `${owned.least.prefix}_all`;
    const options = { folder: owned.fleet.project.tenants, tenantRole };
    const results = await Promise.all(
      [['org_a', 'org_b'], ['org_c', 'org_d'], ['org_e']].map((ids) =>
        provisionTenants(owned.fleet.database, ids, options),
      ),
    );
    expect(results.flat().map(({ outcome, error }) => error?.message ?? outcome)).toEqual(
      Array(5).fill('provisioned'),
    );
    expect(await ownersOf(owned, B)).toContainEqual({ name: 'notes', owner: tenantRole });
  });

  test('goes with its schema where provisioning fails', async () => {
    const owned = await ownedFleet([]);
    const roles = () => owned.fleet.query(`SELECT FROM pg_roles WHERE rolname = '${owned.roleOf('org_a')}'`);
    await owned.fleet.add('3_fails.sql', '-- migrate:up\nSELECT 1/0;');
    expect((await owned.provision('org_a'))[0]?.outcome).toBe('failed');
    expect(await roles()).toEqual([]);
    await owned.fleet.add('3_fails.sql', '-- migrate:up transaction:false\nSELECT 1/0;');
    expect((await owned.provision('org_a'))[0]?.outcome).toBe('failed');
    expect(await roles()).toEqual([]);
    await owned.fleet.project.remove('migrations/tenants/3_fails.sql');
    expect((await owned.provision('org_a'))[0]?.outcome).toBe('provisioned');
    expect(await roles()).toHaveLength(1);
  });

  test('is not the one that tenantctl works as, nor a superuser, nor longer than a name may be', async () => {
    const owned = await ownedFleet([]);
    const { folder } = { folder: owned.fleet.project.tenants };
    const refusal = async (tenantRole: string) =>
      (await provisionTenants(owned.fleet.database, ['org_a'], { folder, tenantRole }))[0]?.error?.message;
    expect(await refusal(owned.least.name)).toContain('is the one that tenantctl itself works as');
    expect(await refusal(owned.least.testDatabase.settings.user)).toContain('is a superuser');
    expect(await refusal(`${'x'.repeat(60)}{schema}`)).toContain('longer than 63 bytes');
    expect(await refusal('pg_{schema}')).toContain('PostgreSQL reserves');
    expect(await owned.fleet.query('SELECT * FROM public.tenants')).toEqual([]);
  });

  test("is left alone by a schema that is another's", async () => {
    const owned = await ownedFleet([]);
    await owned.fleet.query(`CREATE SCHEMA ${A}`);
    await owned.fleet.query(
      `INSERT INTO public.tenants (clerk_org_id, schema_name, status) VALUES ('org_a', '${A}', 'FAILED')`,
    );
    const [refused] = await owned.provision('org_a');
    expect(refused?.error).toMatchObject({ code: 'TENANT_ROLE_UNUSABLE' });
    expect(refused?.error?.message).toContain(`belongs to ${owned.least.testDatabase.settings.user}`);
  });
});

describe("what a tenant's role has put into its own schema", () => {
  test('is not called by what tenantctl itself sends', async () => {
    const owned = await ownedFleet(['org_a', 'org_b', 'org_c', 'org_d']);
    const { least, fleet, roleOf } = owned;
    // Better matches for tenantctl's own calls and comparisons than PostgreSQL's; each would act as tenantctl's role.
    const trap = (signature: string, returns: string, value: string) =>
      `CREATE FUNCTION ${A}.${signature} RETURNS ${returns} LANGUAGE plpgsql AS $$
       BEGIN INSERT INTO ${A}.trapped VALUES (current_user); RETURN ${value}; END $$`;
    await least.logInAs(
      roleOf('org_a'),
      `CREATE TABLE ${A}.trapped (who text)`,
      `GRANT INSERT ON ${A}.trapped TO PUBLIC`,
      trap('hashtextextended(text, integer)', 'bigint', '1'),
      trap('equal(varchar, varchar)', 'boolean', 'true'),
      `CREATE OPERATOR ${A}.= (leftarg = varchar, rightarg = varchar, function = ${A}.equal)`,
    );
    await fleet.add('3_more.sql', createTable('more'));
    await fleet.add('4_more.sql', '-- migrate:up\nCREATE TABLE yet_more AS SELECT 1 AS id;');
    await fleet.query(
      `INSERT INTO tenantctl.tenant_failures (tenant, command, error) VALUES (${idOf(A)}, 'x', '{"code":"INTERNAL","message":"x"}')`,
    );
    for (const compile of [true, false]) {
      expect((await owned.migrate({ compile })).totals).toMatchObject({ changed: 4, failed: 0 });
      expect(await fleet.query(`SELECT who FROM ${A}.trapped`)).toEqual([]);
      await fleet.query(
        `DROP TABLE IF EXISTS ${['org_a', 'org_b', 'org_c', 'org_d'].map((id) => `${schemaNameFor(id)}.yet_more`).join(', ')}`,
      );
      await fleet.add('4_more.sql', '-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;');
      expect((await owned.rollback({ compile })).totals).toMatchObject({ changed: 4, failed: 0 });
      expect(await fleet.query(`SELECT who FROM ${A}.trapped`)).toEqual([]);
    }
  });

  test('and is put off to the end of the transaction, acts as the tenant', async () => {
    const owned = await ownedFleet(['org_a', 'org_b', 'org_c', 'org_d']);
    const { least, fleet, roleOf } = owned;
    for (const organization of ['org_a', 'org_d']) {
      const schema = schemaNameFor(organization);
      await least.logInAs(
        roleOf(organization),
        `CREATE TABLE ${schema}.seen (who text)`,
        `CREATE FUNCTION ${schema}.look() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN INSERT INTO ${schema}.seen VALUES (current_user); RETURN NULL; END $$`,
        `CREATE CONSTRAINT TRIGGER look AFTER INSERT ON ${schema}.notes DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION ${schema}.look()`,
      );
    }
    await fleet.add('3_more.sql', '-- migrate:up\nINSERT INTO notes VALUES (1);');
    await fleet.add('4_more.sql', '-- migrate:up\nINSERT INTO notes VALUES (2);');
    expect((await owned.migrate()).totals).toMatchObject({ changed: 4, failed: 0 });
    for (const organization of ['org_a', 'org_d']) {
      const role = roleOf(organization);
      expect(await fleet.query(`SELECT who FROM ${schemaNameFor(organization)}.seen`)).toEqual([
        { who: role },
        { who: role },
      ]);
    }
  });
});

test('a dry run shows what the tenant may not do, and leaves nothing', async () => {
  const owned = await ownedFleet(['org_a', 'org_b']);
  await owned.fleet.add('3_reach.sql', `-- migrate:up\nSELECT * FROM ${B}.notes;`);
  const { project, database } = owned.fleet;
  const options = { folder: project.tenants, tenantRole: owned.tenantRole, tenants: ['org_a'] };
  const { plans } = await rehearseTenants(database, options);
  expect(plans[0]?.migrations[0]?.error).toMatchObject({ sqlstate: '42501' });
  await owned.fleet.query(`ALTER SCHEMA ${A} OWNER TO ${owned.least.name}`);
  const { problems } = await rehearseTenants(database, options);
  expect(problems.map(({ error }) => error.code)).toEqual(['TENANT_ROLE_UNUSABLE']);
});

test("seeds run as the tenant's role, in new tenants and in those that exist, and may do no more than it", async () => {
  const owned = await ownedFleet(['org_a']);
  const { project, database, query } = owned.fleet;
  await project.write(
    'seeds/1_who.mjs',
    "export const seed = (knex) => knex.raw('CREATE TABLE who AS SELECT current_user AS who');",
  );
  const folders = {
    folder: project.tenants,
    seedFolder: join(project.folder, 'seeds'),
    tenantRole: owned.tenantRole,
  };
  expect((await seedTenants(database, folders)).totals).toMatchObject({ changed: 1, failed: 0 });
  expect(await provisionTenants(database, ['org_b'], folders)).toMatchObject([{ outcome: 'provisioned' }]);
  for (const organization of ['org_a', 'org_b'])
    expect(await query(`SELECT who::text FROM ${schemaNameFor(organization)}.who`)).toEqual([
      { who: owned.roleOf(organization) },
    ]);
  await project.write('seeds/2_reach.sql', `INSERT INTO ${B}.notes VALUES (1);`);
  const { tenants } = await seedTenants(database, { ...folders, tenants: ['org_a'] });
  expect(tenants[0]?.error).toMatchObject({ code: 'SEED_FAILED', sqlstate: '42501' });
  expect((await seedTenants(database, { ...folders, only: ['1_who'] })).totals).toMatchObject({
    upToDate: 2,
  });
});
