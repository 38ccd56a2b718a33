import { join } from 'node:path';
import { expect, test } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';

test('tenant clone says what it copies, first without doing it, and masks by a file and a key', async () => {
  const { project, testDatabase, query } = await createFleet(['org_a']);
  const [A, B] = [schemaNameFor('org_a'), schemaNameFor('org_b')];
  await query(`INSERT INTO ${A}.notes VALUES (1), (2)`);
  const run = (env: Record<string, string>, ...args: string[]) =>
    tenantctl(['tenant', 'clone', ...args], { cwd: project.folder, env: { ...testDatabase.env, ...env } });

  const planned = await run({}, 'org_a', 'org_b', '--dry-run');
  expect(planned.stdout).toBe(
    `→ org_b would be a clone of org_a, in ${B}\n  2 migrations, the rows of 3 tables\n`,
  );
  await project.write('mask.json', '{ "notes": {} }');
  const mask = ['--mask', join(project.folder, 'mask.json')];
  const refused = await run({}, 'org_a', 'org_b', ...mask);
  expect(refused).toMatchObject({ exitCode: 2 });
  expect(refused.stderr).toContain('✖ The mask cannot be used: notes.id has no rule.');
  const cloned = await run({}, 'org_a', 'org_b', ...mask, '--mask-rest', 'keep', '--json');
  expect(cloned.json()).toMatchObject({ ok: true, clerkOrgId: 'org_b', schema: B, rows: 4, differences: [] });
  expect(await query(`SELECT FROM ${B}.notes`)).toHaveLength(2);

  await project.write('mask.json', '{ "tags": { "id": { "hash": 8 } } }');
  const withKey = await run({ TENANT_MASK_KEY: 'a key of sixteen characters' }, 'org_a', 'org_c', ...mask);
  expect(withKey.stderr).toContain('tags.id cannot be masked: it is part of a primary key.');
  await project.write('mask.json', '{ "tags": ');
  expect((await run({}, 'org_a', 'org_c', ...mask)).stderr).toContain('mask.json is not JSON');
  expect((await run({}, 'org_a', 'org_c', '--mask-rest', 'keep')).exitCode).toBe(2);
});
