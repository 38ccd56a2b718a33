import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { startCli, tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';

test('drift names the tenant that differs, shows how, and fails the check of CI; the dump shows a new migration', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const { query, project, testDatabase } = fleet;
  const run = (...args: string[]) => tenantctl(args, { cwd: project.folder, env: testDatabase.env });
  expect(await run('drift', '--check')).toMatchObject({
    exitCode: 0,
    stdout: '✔ 2 tenants compared with what the migrations make: 2 alike\n',
  });
  expect(await run('schema', 'dump', '--out', 'schema.sql')).toMatchObject({ exitCode: 0 });
  await query(`ALTER TABLE ${schemaNameFor('org_b')}.notes ADD body text`);
  const found = await run('drift', '--check');
  expect(found).toMatchObject({
    exitCode: 6,
    stdout: expect.stringContaining('1 tenant differs: org_b\n') as string,
    stderr: expect.stringContaining('Of 2 tenants: 1 differs.') as string,
  });
  expect(found.stdout).toContain('  + column notes.body is extra\n');
  expect((await run('drift', '--json')).json()).toMatchObject({
    command: 'drift',
    ok: true,
    totals: { selected: 2, alike: 1, differing: 1 },
    cohorts: [
      { outcome: 'differs', count: 1 },
      { outcome: 'alike', count: 1 },
    ],
  });
  const shown = await run('drift', 'show', 'org_b', '--check');
  expect(shown).toMatchObject({ exitCode: 6, stdout: expect.stringContaining('\n+  body text\n') as string });
  expect(await run('drift', 'show', 'org_b', '--reference', 'org_b', '--check')).toMatchObject({
    exitCode: 0,
    stdout: '✔ org_b is like org_b\n',
  });

  expect(await run('schema', 'dump', '--check', 'schema.sql')).toMatchObject({ exitCode: 0, stdout: '' });
  await fleet.add(
    '20250101000003_more.sql',
    '-- migrate:up\nCREATE TYPE more AS ENUM ();\n-- migrate:down\n',
  );
  expect(await run('schema', 'dump', '--check', 'schema.sql')).toMatchObject({
    exitCode: 6,
    stdout: expect.stringContaining('+CREATE TYPE more AS ENUM ();') as string,
  });
  expect(await readFile(join(project.folder, 'schema.sql'), 'utf8')).not.toContain('more');
});

test('what a killed drift has left is named by doctor, and dropped by the next drift', async () => {
  const fleet = await createFleet(['org_a']);
  const { query, project, testDatabase } = fleet;
  const options = { cwd: project.folder, env: testDatabase.env };
  const vacuum = (sql: string) =>
    fleet.add(
      '20250101000003_vacuum.sql',
      `-- migrate:up transaction:false\nVACUUM notes;\n${sql}\n-- migrate:down\n`,
    );
  await vacuum('');
  await fleet.migrate();
  await vacuum('SELECT pg_sleep(600);');
  const child = startCli(['drift'], options);
  const left = () =>
    query("SELECT nspname AS name FROM pg_namespace WHERE nspname LIKE 'tenantctl_reference_%'");
  const asleep = () => query("SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%'");
  while ((await asleep()).length === 0) await sleep(50);
  child.kill('SIGKILL');
  await child.done;
  await query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%'",
  );
  const [schema] = await left();
  const doctor = await tenantctl(['doctor'], options);
  expect(doctor.stdout).toContain(`drift of ${String(schema?.name)}`);
  await vacuum('');
  expect(await tenantctl(['drift'], options)).toMatchObject({ exitCode: 0 });
  expect(await left()).toEqual([]);
});
