import { describe, expect, test } from 'vitest';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { migrateTenants } from '../../../src/core/commands/migrate-tenants.ts';
import { provisionTenants } from '../../../src/core/tenant/provision.ts';
import { rehearseAll, rehearseTenants } from '../../../src/core/commands/rehearse.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createDatabase, createEmbeddedDatabase, type TestDatabase } from '../../support/database.ts';
import { createFleet } from '../../support/fleet.ts';
import { createTable, usualProject } from '../../support/project.ts';

const A = schemaNameFor('org_a');

/** Two tenants, and a shared table, on a server or embedded. */
async function twoTenants(testDatabase: TestDatabase) {
  const project = await usualProject({
    'migrations/master/20250101000001_countries.sql': `-- migrate:up
      CREATE TABLE public.countries (code text PRIMARY KEY);
      CREATE FUNCTION public.one() RETURNS int LANGUAGE sql AS 'SELECT 1';\n`,
  });
  const database = await testDatabase.open();
  await migrateMaster(database, { folder: project.master });
  const provisioned = await provisionTenants(database, ['org_a', 'org_b'], { folder: project.tenants });
  return { project, database, provisioned, folder: project.tenants };
}

describe.each([
  ['embedded, where all connections are one session', createEmbeddedDatabase],
  ['on a server', () => createDatabase()],
])('%s', (_, create) => {
  test.each([
    ['GRANT SELECT ON countries TO PUBLIC', 'changed the table public.countries'],
    ['DROP TABLE countries', 'dropped the table public.countries'],
    ['DROP FUNCTION one()', 'dropped the function public.one()'],
    ['CREATE TABLE public.mine ()', 'created the table public.mine'],
    [
      `CREATE OR REPLACE FUNCTION public.one() RETURNS int LANGUAGE sql AS 'SELECT 2'`,
      'changed the function public.one()',
    ],
    [
      `SELECT * FROM ${schemaNameFor('org_b')}.notes`,
      `read or wrote the table ${schemaNameFor('org_b')}.notes`,
    ],
  ])('%s is refused, and stays in place', async (text, says) => {
    const { project, database, folder } = await twoTenants(await create());
    await project.write(
      'migrations/tenants/3_x.sql',
      `-- migrate:up\nCREATE TABLE x (); DO $$ BEGIN EXECUTE '${text
        .replaceAll("'", "''")
        .replace(/^SELECT/, 'SELECT 1 FROM (SELECT')
        .replace(/notes$/, 'notes) q')}'; END $$;\n`,
    );
    const result = await migrateTenants(database, { folder, tenants: ['org_a'] });
    expect(result.tenants[0]?.error?.message).toContain(`3_x.sql ${says}: outside ${A}`);
    const { rows } = await database.query<{ all_there: boolean }>(
      `SELECT to_regclass('public.countries') IS NOT NULL AND to_regproc('public.one') IS NOT NULL AND to_regclass('public.mine') IS NULL AND to_regclass('${A}.x') IS NULL AS all_there`,
    );
    expect(rows).toEqual([{ all_there: true }]);
  });

  test('what stays within the schema is done', async () => {
    const { project, database, folder } = await twoTenants(await create());
    await project.write(
      'migrations/tenants/3_x.sql',
      `-- migrate:up\nALTER TABLE notes ADD country text REFERENCES countries; ALTER TABLE notes ALTER id TYPE bigint; CREATE TABLE helper (); DROP TABLE helper; DROP TABLE tags;
       CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION f();\n-- migrate:down\nALTER TABLE notes DROP country;\n`,
    );
    const result = await migrateTenants(database, { folder });
    expect(result.tenants.map(({ error, outcome }) => error?.message ?? outcome)).toEqual([
      'migrated',
      'migrated',
    ]);
  });

  test('a new tenant’s migrations are kept within its schema, and it is not made', async () => {
    const { project, database, folder } = await twoTenants(await create());
    await project.write(
      'migrations/tenants/3_x.sql',
      '-- migrate:up\nGRANT SELECT ON countries TO PUBLIC;\n',
    );
    const [made] = await provisionTenants(database, ['org_new'], { folder });
    expect(made?.error?.message).toContain('3_x.sql changed the table public.countries: outside ');
    const { rows } = await database.query(
      `SELECT status, to_regnamespace(schema_name) IS NULL AS gone FROM tenants WHERE clerk_org_id = 'org_new'`,
    );
    expect(rows).toEqual([{ status: 'FAILED', gone: true }]);
  });
});

describe('a rehearsal', () => {
  test('tells what would be refused, and leaves everything as it was', async () => {
    const fleet = await createFleet(['org_a', 'org_b']);
    await fleet.add('3_x.sql', '-- migrate:up\nCREATE TABLE fine ();\n');
    await fleet.add('4_y.sql', '-- migrate:up\nGRANT SELECT ON tenants TO PUBLIC;\n');
    const { plans } = await rehearseTenants(fleet.database, { folder: fleet.project.tenants });
    expect(plans[0]?.migrations.map(({ name, error }) => [name, error?.message])).toEqual([
      ['3_x.sql', undefined],
      ['4_y.sql', `4_y.sql changed the table public.tenants: outside ${A}, the schema of its tenant.`],
    ]);
  });

  test('of all takes what pending master migrations make for what it will be', async () => {
    const fleet = await createFleet(['org_a', 'org_b']);
    await fleet.project.write(
      'migrations/master/20260101000000_areas.sql',
      `-- migrate:up\nCREATE TABLE areas (id int PRIMARY KEY); ALTER TABLE tenants ADD note text;
      CREATE FUNCTION two() RETURNS int LANGUAGE sql AS 'SELECT 2';\n`,
    );
    await fleet.add(
      '3_x.sql',
      '-- migrate:up\nALTER TABLE notes ADD area int REFERENCES areas, ADD n int DEFAULT two();\n',
    );
    await fleet.add('4_y.sql', createTable('places', 'area int REFERENCES areas'));
    const options = { folder: fleet.project.tenants, masterFolder: fleet.project.master };
    const { plans } = await rehearseAll(fleet.database, { folder: fleet.project.master }, options);
    expect(plans.flatMap(({ migrations }) => migrations.map(({ error }) => error?.message))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
