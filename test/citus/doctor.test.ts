import { expect, test } from 'vitest';
import { diagnose } from '../../src/core/doctor/diagnose.ts';
import type { DatabaseSettings } from '../../src/db/database.ts';
import { createCitusDatabase } from '../support/citus.ts';
import { knexMigration, usualProject } from '../support/project.ts';

async function linesOf(database: DatabaseSettings) {
  const { checks } = await diagnose({ nodeVersion: process.versions.node, database });
  return checks.filter(({ id }) => id.startsWith('citus'));
}

test('doctor names Citus and its nodes, and says where new tenants go', async () => {
  const { settings, query } = await createCitusDatabase();

  expect(await linesOf(settings)).toEqual([
    expect.objectContaining({
      id: 'citus',
      status: 'ok',
      detail: expect.stringMatching(/^Citus \d+\.\d.*, \d+ workers?:/) as string,
    }),
    expect.objectContaining({
      id: 'citus-nodes',
      status: 'ok',
      detail: expect.stringContaining(' has 0 schemas') as string,
    }),
    expect.objectContaining({ id: 'citus-migrations', status: 'ok' }),
  ]);

  const { database } = settings;
  await query(`ALTER DATABASE ${database} SET citus.enable_schema_based_sharding TO off`);

  expect((await linesOf(settings))[0]).toMatchObject({
    status: 'warning',
    remedy: expect.stringContaining(
      `ALTER DATABASE "${database}" SET citus.enable_schema_based_sharding = on`,
    ) as string,
  });
});

test('doctor names the nodes whose database is closed to the role, and the grant that opens it', async () => {
  const { settings, query } = await createCitusDatabase();
  const { database } = settings;
  const grant = `GRANT CREATE ON DATABASE "${database}" TO "${database}"`;
  await query(`REVOKE CREATE ON DATABASE "${database}" FROM "${database}"`);
  await query(`SET citus.enable_ddl_propagation TO off; ${grant}; RESET citus.enable_ddl_propagation`);

  const [, nodes] = await linesOf(settings);
  expect(nodes).toMatchObject({ id: 'citus-nodes', status: 'failed' });
  expect(nodes?.detail).toMatch(/may not create schemas in test_\w+ on .+:\d+/);
  expect(nodes?.remedy).toContain(grant);

  await query(grant);
  expect((await linesOf(settings))[1]).toMatchObject({ id: 'citus-nodes', status: 'ok' });
});

test('doctor reads the migrations and names what of them nodes do not take, with file and statement', async () => {
  const { settings, query } = await createCitusDatabase();
  await query('CREATE TABLE public.plain (id int PRIMARY KEY)');
  await query('CREATE TABLE public.shared (id int PRIMARY KEY)');
  await query(`SELECT create_reference_table('public.shared')`);
  const project = await usualProject({
    'migrations/tenants/20250101000009_refused.sql': `-- migrate:up
      CREATE TABLE a (p int REFERENCES public.plain, s int REFERENCES public.shared);
      ALTER TABLE a ADD COLUMN n serial;`,
    'migrations/tenants/20250101000010_code.js': knexMigration(
      `await knex.raw('CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()');`,
    ),
    'migrations/tenants/20250101000011_odd.sql': `-- migrate:up\nSELEKT 1;`,
  });
  const { checks } = await diagnose({
    nodeVersion: process.versions.node,
    database: settings,
    folders: { master: project.master, tenants: project.tenants },
  });

  const check = checks.find(({ id }) => id === 'citus-migrations');
  expect(check?.status).toBe('warning');
  expect(check?.detail).toContain('20250101000009_refused.sql: CREATE TABLE a');
  expect(check?.detail).toContain('(a foreign key to public.plain, which is no reference table)');
  expect(check?.detail).toContain('ALTER TABLE a ADD COLUMN n serial (ADD COLUMN with a serial type)');
  expect(check?.detail).not.toContain('public.shared, which');
  expect(check?.detail).toContain('20250101000010_code.js: CREATE TRIGGER t');
  expect(check?.detail).toContain('20250101000011_odd.sql could not be read');
});
