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

const REFUSED: readonly (readonly [statement: string, says: string])[] = [
  ['GRANT SELECT ON countries TO PUBLIC', 'changed the table public.countries'],
  ['DROP TABLE countries', 'dropped the table public.countries'],
  ['DROP FUNCTION one()', 'dropped the function public.one()'],
  ['CREATE TABLE public.mine ()', 'created the table public.mine'],
  [
    `CREATE OR REPLACE FUNCTION public.one() RETURNS int LANGUAGE sql AS 'SELECT 2'`,
    'changed the function public.one()',
  ],
  [
    `SELECT 1 FROM (SELECT * FROM ${schemaNameFor('org_b')}.notes) q`,
    `read or wrote the table ${schemaNameFor('org_b')}.notes`,
  ],
];

// One database answers all of a row: an embedded one takes a second to open, and what is refused leaves nothing behind.
test.each([
  ['embedded, where all connections are one session', createEmbeddedDatabase],
  ['on a server', () => createDatabase()],
])('%s: what reaches outside is refused and stays in place, what stays within is done', async (_, create) => {
  const { project, database, folder } = await twoTenants(await create());
  for (const [statement, says] of REFUSED) {
    await project.write(
      'migrations/tenants/3_x.sql',
      `-- migrate:up\nCREATE TABLE x (); DO $$ BEGIN EXECUTE '${statement.replaceAll("'", "''")}'; END $$;\n`,
    );
    const result = await migrateTenants(database, { folder, tenants: ['org_a'] });
    expect([statement, result.tenants[0]?.error?.message]).toEqual([
      statement,
      expect.stringContaining(`3_x.sql ${says}: outside ${A}`),
    ]);
    const { rows } = await database.query(
      `SELECT to_regclass('public.countries') IS NOT NULL AS countries, has_table_privilege('public', 'public.countries', 'SELECT') AS granted,
              public.one() AS one, to_regclass('public.mine') AS mine, to_regclass('${A}.x') AS x`,
    );
    expect([statement, ...rows]).toEqual([
      statement,
      { countries: true, granted: false, one: 1, mine: null, x: null },
    ]);
  }

  await project.write('migrations/tenants/3_x.sql', '-- migrate:up\nGRANT SELECT ON countries TO PUBLIC;\n');
  const [made] = await provisionTenants(database, ['org_new'], { folder });
  expect(made?.error?.message).toContain('3_x.sql changed the table public.countries: outside ');
  const { rows } = await database.query(
    `SELECT status, to_regnamespace(schema_name) IS NULL AS gone FROM tenants WHERE clerk_org_id = 'org_new'`,
  );
  expect(rows).toEqual([{ status: 'FAILED', gone: true }]);

  await project.write(
    'migrations/tenants/3_x.sql',
    `-- migrate:up\nALTER TABLE notes ADD country text REFERENCES countries; ALTER TABLE notes ALTER id TYPE bigint; CREATE TABLE helper (); DROP TABLE helper; DROP TABLE tags;
     CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION f();\n-- migrate:down\nALTER TABLE notes DROP country;\n`,
  );
  const within = await migrateTenants(database, { folder });
  expect(within.tenants.map(({ error, outcome }) => error?.message ?? outcome)).toEqual([
    'migrated',
    'migrated',
  ]);
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
