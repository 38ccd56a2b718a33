import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { tenantctl } from '../support/cli.ts';
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
    stderr: expect.stringContaining('Of 2 tenants: 1 differ.') as string,
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
