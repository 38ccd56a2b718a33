import { expect, test } from 'vitest';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { rehearseTenants } from '../../../src/core/commands/rehearse.ts';
import { resolveInterrupted } from '../../../src/core/commands/resolve.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { provisionTenants } from '../../../src/core/tenant/provision.ts';
import { fleetOn, type TestFleet } from '../../support/fleet.ts';
import { createLeastRole, type LeastRole } from '../../support/least-role.ts';
import { createTable, usualProject } from '../../support/project.ts';
import { idOf } from '../../support/remember.ts';
import { examine, line } from '../doctor/examine.ts';

const TENANTS = ['org_a', 'org_b', 'org_c', 'org_d'];

/** A pilot, and one that is sent a string. */
const HOSTILE = ['org_a', 'org_d'].map((id) => [id, schemaNameFor(id)] as const);

interface Owned {
  readonly least: LeastRole;
  readonly fleet: TestFleet;
  readonly tenantRole: string;
}

/** @param user the least role, or the superuser */
async function ownedFleet(user: 'least' | 'superuser'): Promise<Owned> {
  const least = await createLeastRole('CREATEROLE');
  const database = user === 'least' ? await least.open() : await least.testDatabase.open(5);
  const project = await usualProject();
  await migrateMaster(database, { folder: project.master });
  const tenantRole = `${least.prefix}_{schema}`;
  await provisionTenants(database, TENANTS, { folder: project.tenants, tenantRole });
  return { least, fleet: fleetOn(least.testDatabase, database, project), tenantRole };
}

const COLUMNS = 'id serial PRIMARY KEY, name varchar(255), batch integer, migration_time timestamptz';
const ROWS = `INSERT INTO knex_migrations_tenant (name, batch) VALUES ('20250101000001_notes.sql', 1), ('20250101000002_tags.sql', 1)`;

/** Histories that run a function of the tenant's as whoever reads or writes them. */
const HISTORIES = {
  'with a trigger': `CREATE TABLE knex_migrations_tenant (${COLUMNS}); ${ROWS};
    CREATE TRIGGER x BEFORE INSERT OR DELETE ON knex_migrations_tenant FOR EACH ROW EXECUTE FUNCTION trapped()`,
  'with a default': `CREATE TABLE knex_migrations_tenant (${COLUMNS}); ${ROWS};
    ALTER TABLE knex_migrations_tenant ADD COLUMN x text, ALTER x SET DEFAULT trap()`,
  'with a check, a policy and an index': `CREATE TABLE knex_migrations_tenant (${COLUMNS}); ${ROWS};
    ALTER TABLE knex_migrations_tenant ADD CHECK (trap() IS NOT NULL) NOT VALID, ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY x ON knex_migrations_tenant USING (trap() IS NOT NULL)`,
  'that is a view': `CREATE TABLE kept (${COLUMNS}); INSERT INTO kept (name, batch) VALUES ('20250101000001_notes.sql', 1), ('20250101000002_tags.sql', 1);
    CREATE VIEW knex_migrations_tenant AS SELECT id, name, batch, migration_time FROM kept WHERE trap() IS NOT NULL`,
  'whose batch is cast by a function': `CREATE TYPE number AS (n int);
    CREATE FUNCTION to_int(number) RETURNS int LANGUAGE sql AS 'SELECT length(trap())'; CREATE CAST (number AS int) WITH FUNCTION to_int(number) AS IMPLICIT;
    CREATE TABLE knex_migrations_tenant (id serial PRIMARY KEY, name varchar(255), batch number, migration_time timestamptz);
    INSERT INTO knex_migrations_tenant (name, batch) VALUES ('20250101000001_notes.sql', ROW(1)), ('20250101000002_tags.sql', ROW(1))`,
};

const trapIn = (schema: string) => [
  `SET search_path TO ${schema}`,
  'CREATE TABLE seen (who text)',
  'GRANT ALL ON seen TO PUBLIC',
  `CREATE FUNCTION trap() RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO ${schema}.seen VALUES (current_user); RETURN 'x'; EXCEPTION WHEN OTHERS THEN RETURN 'x'; END $$`,
  `CREATE FUNCTION trapped() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM ${schema}.trap(); RETURN NEW; END $$`,
];

test.each([
  ...Object.entries(HISTORIES).map(([how, history]) => ['least', how, history] as const),
  ['superuser', 'with a trigger', HISTORIES['with a trigger']] as const,
])(
  'as %s, tenantctl runs nothing of a history %s that the tenant has put in the place of its own',
  async (user, _, history) => {
    const { least, fleet, tenantRole } = await ownedFleet(user);
    for (const [, schema] of HOSTILE) {
      const replaced = `DROP TABLE knex_migrations_tenant CASCADE; ${history}`;
      await least.logInAs(`${least.prefix}_${schema}`, ...trapIn(schema), replaced);
    }
    const outcomes = async (result: ReturnType<TestFleet['migrate']>) =>
      (await result).tenants
        .toSorted((a, b) => a.clerkOrgId.localeCompare(b.clerkOrgId))
        .map(({ outcome, error }) => error?.code ?? outcome);
    await fleet.add('20263_more.sql', createTable('more'));
    const untrusted = 'HISTORY_UNTRUSTED';
    const tried = { folder: fleet.project.tenants, tenantRole, tenants: ['org_a'] };
    const { plans } = await rehearseTenants(fleet.database, tried);
    expect(plans[0]?.migrations.at(-1)?.error?.code).toBe(untrusted);
    for (const [compile, others] of [
      [true, 'migrated'],
      [false, 'up-to-date'],
    ] as const) {
      const result = fleet.migrate({ compile, tenantRole, concurrency: 1, verify: true, tenants: TENANTS });
      expect(await outcomes(result)).toEqual([untrusted, others, others, untrusted]);
    }
    const rollback = fleet.rollback({ tenantRole, concurrency: 1, tenants: TENANTS });
    expect(await outcomes(rollback)).toEqual(expect.arrayContaining(['rolled-back', 'rolled-back']));
    await fleet.status({ verify: true });
    await fleet.project.remove('migrations/tenants/20263_more.sql');
    await fleet.add('20263_outside.sql', '-- migrate:up transaction:false\nCREATE TABLE more ();');
    expect(await outcomes(fleet.migrate({ tenantRole, tenants: TENANTS }))).toEqual([
      untrusted,
      'migrated',
      'migrated',
      untrusted,
    ]);
    await fleet.query(
      `INSERT INTO tenantctl.intents (tenant, migration, direction) VALUES (${idOf(HOSTILE[0]?.[1] ?? '')}, '20263_outside.sql', 'up')`,
    );
    const resolution = resolveInterrupted(fleet.database, { tenant: 'org_a', answer: 'applied', tenantRole });
    await expect(resolution).rejects.toMatchObject({ code: untrusted });

    const settings = user === 'least' ? least.settings : least.testDatabase.settings;
    const rights = line(await examine(fleet.project, settings, { tenantRole }), 'tenant-rights');
    expect(rights).toMatchObject({ status: 'failed', code: untrusted });
    for (const [, schema] of HOSTILE) {
      expect(rights.detail).toContain(
        `${schema}.knex_migrations_tenant belongs to ${least.prefix}_${schema}`,
      );
      expect(await fleet.query(`SELECT who FROM ${schema}.seen`)).toEqual([]);
    }
    await fleet.query(rights.remedy?.slice(rights.remedy.indexOf('DO ')) ?? '');
    const given = line(await examine(fleet.project, settings, { tenantRole }), 'tenant-rights');
    expect(given.detail).not.toContain('belongs to');
    expect(given.status).toBe('failed');
  },
);

test('a migration that replaces the history itself is refused, and what it made is rolled back', async () => {
  const { least, fleet, tenantRole } = await ownedFleet('superuser');
  for (const [, schema] of HOSTILE) await least.logInAs(`${least.prefix}_${schema}`, ...trapIn(schema));
  await fleet.add('20263_more.sql', createTable('more'));
  await fleet.add(
    '20264_replace.sql',
    `-- migrate:up\nDO $do$ BEGIN IF to_regproc('trap') IS NOT NULL THEN DROP TABLE knex_migrations_tenant CASCADE; ${HISTORIES['with a trigger']}; END IF; END $do$;`,
  );
  await fleet.add('20265_last.sql', createTable('last'));
  for (const compile of [true, false]) {
    const { tenants } = await fleet.migrate({ compile, tenantRole, concurrency: 1 });
    const failed = tenants.filter(({ error }) => error !== undefined);
    expect(failed.map(({ clerkOrgId }) => clerkOrgId).toSorted()).toEqual(['org_a', 'org_d']);
    for (const { error } of failed) expect(error).toMatchObject({ code: 'HISTORY_UNTRUSTED' });
  }
  for (const [id, schema] of HOSTILE) {
    expect(await fleet.query(`SELECT who FROM ${schema}.seen`)).toEqual([]);
    expect(await fleet.history(id)).toEqual(['20250101000001_notes.sql@1', '20250101000002_tags.sql@1']);
  }
});

test('doctor warns while every role may create functions in public, and its remedy helps', async () => {
  const { least, fleet, tenantRole } = await ownedFleet('superuser');
  await fleet.query('GRANT CREATE ON SCHEMA public TO PUBLIC');
  const examined = () => examine(fleet.project, least.testDatabase.settings, { tenantRole });
  const open = line(await examined(), 'tenant-rights');
  expect(open).toMatchObject({ status: 'warning', detail: expect.stringContaining('functions') as string });
  await fleet.query(open.remedy ?? '');
  expect(line(await examined(), 'tenant-rights').status).toBe('ok');
});
