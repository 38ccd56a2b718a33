import { expect, test } from 'vitest';
import { tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';

test('tenant adopt shows schemas without a row, asks, and registers those of a map', async () => {
  const { project, testDatabase, query } = await createFleet(['org_a']);
  const run = (...args: string[]) =>
    tenantctl(['tenant', 'adopt', ...args], { cwd: project.folder, env: testDatabase.env });
  const tenants = () =>
    query('SELECT clerk_org_id AS id, schema_name AS schema FROM tenants ORDER BY 1 DESC');
  const none = await run();
  expect(none).toMatchObject({ exitCode: 0, stdout: '✔ Every schema has its row in the registry\n' });

  await query('CREATE SCHEMA acme CREATE TABLE notes (id int); CREATE SCHEMA globex');
  const shown = await run('--json');
  expect(shown.json()).toMatchObject({
    dryRun: true,
    tenants: [],
    schemas: [
      { schema: 'acme', tables: 1, hasHistory: false, newest: null, clerkOrgId: null },
      { schema: 'globex', tables: 0 },
    ],
    rows: [],
  });
  const text = await run();
  expect(text.stdout).toMatch(/acme +\S+ +1 +none +unknown/);
  expect(text.stdout).toContain('tenantctl tenant adopt acme=<org>');

  await project.write('map.csv', 'schema,clerk_org_id\nacme,org_acme\nglobex,\n');
  const asked = await run('--map', 'map.csv');
  expect(asked).toMatchObject({ exitCode: 2 });
  expect(asked.stderr).toContain('This registers 1 schema as ACTIVE tenants: acme (org_acme).');
  expect(await tenants()).toHaveLength(1);
  const adopted = await run('--map', 'map.csv', '--yes');
  expect(adopted.exitCode).toBe(1);
  expect(adopted.stderr).toContain('✖ Line 3: This organization id is refused: it is empty.');
  expect(adopted.stdout).toContain('✔ org_acme is ACTIVE in acme');
  expect(adopted.stdout).toContain('Without recorded migrations: org_acme.');

  await query('CREATE SCHEMA "a=b"');
  const missing = await run('nowhere=org_x', 'a=b=org=2');
  expect(missing.stderr).toContain('This registers 1 schema as ACTIVE tenants: a=b (org=2).');
  const nothing = await run('nowhere=org_x');
  expect(nothing).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('There is no schema nowhere.'),
  });
  const named = await run('globex=org=1', '--yes', '--json');
  expect(named.json()).toMatchObject({
    ok: true,
    tenants: [{ schema: 'globex', clerkOrgId: 'org=1', outcome: 'adopted' }],
  });
  expect(await run('globex')).toMatchObject({ exitCode: 2 });
  expect(await tenants()).toEqual([
    { id: 'org_acme', schema: 'acme' },
    { id: 'org_a', schema: expect.any(String) as string },
    { id: 'org=1', schema: 'globex' },
  ]);
});
