import { expect, test } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';

test('tenant rename says what it renames, first without doing it, and what it cannot rename', async () => {
  const { project, testDatabase, query } = await createFleet(['org_a']);
  const run = (...args: string[]) =>
    tenantctl(['tenant', 'rename', ...args], { cwd: project.folder, env: testDatabase.env });
  const [A, B] = [schemaNameFor('org_a'), schemaNameFor('org_b')];

  const planned = await run('org_a', 'org_b', '--with-schema', '--dry-run');
  expect(planned).toMatchObject({ exitCode: 0, stderr: '' });
  expect(planned.stdout).toBe(`→ org_a would become org_b, in ${B}\n  schema ${A} becomes ${B}\n`);
  const renamed = await run('org_a', 'org_b', '--with-schema', '--json');
  expect(renamed.json()).toEqual({
    command: 'tenant rename',
    ok: true,
    run: expect.any(Number) as number,
    clerkOrgId: 'org_b',
    schema: B,
    former: { clerkOrgId: 'org_a', schema: A },
    outcome: 'renamed',
    functions: [],
    stale: [],
    durationMs: expect.any(Number) as number,
  });
  const again = await run('org_a', 'org_b');
  expect(again.stdout).toContain(`✔ org_b is in ${B} already; nothing was changed`);

  await query(`CREATE FUNCTION ${B}.f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM ${B}.notes'`);
  const refused = await run('org_b', 'org_c', '--with-schema');
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toContain(`✖ The name ${B} is in texts that would not follow a rename: function`);
  const allowed = await run('org_b', 'org_c', '--with-schema', '--allow-stale');
  expect(allowed.stdout).toContain('✔ org_b is org_c now');
  expect(allowed.stderr).toContain(`These still name ${B} in their text: function`);
});
