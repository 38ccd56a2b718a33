import { expect, test } from 'vitest';
import { tenantctl } from '../support/cli.ts';
import { createProject, USUAL_FILES } from '../support/project.ts';

test('repeatable/tenants is found by itself, and status, migrate and provision say what its scripts need', async () => {
  const view = (text: string) => `CREATE OR REPLACE VIEW n AS SELECT ${text} FROM notes;\n`;
  const project = await createProject(USUAL_FILES);
  const run = (...args: string[]) => tenantctl([...args, '--embedded'], { cwd: project.folder });
  const before = await run('migrate', 'all', '--json');
  expect(before.json()).toMatchObject({ ok: true });
  expect((await run('status', '--json')).json()).not.toHaveProperty('repeatable');

  await project.write('repeatable/tenants/n.sql', view('id'));
  const provisioned = await run('tenant', 'provision', 'org_a');
  expect(provisioned.stdout).toContain('(2 migrations, 1 script,');
  await project.write('repeatable/tenants/n.sql', view('id, 1 AS one'));
  const checked = await run('status', '--check');
  expect(checked).toMatchObject({ exitCode: 6 });
  expect(checked.stdout).toContain('1 repeatable script, pending in 1 tenant');
  const migrated = await run('migrate', 'tenants');
  expect(migrated.stdout).toContain('repeatable/n.sql');
  expect(migrated.stdout).not.toMatch(/batch 0|rollback/);
  expect((await run('status', '--json')).json()).toMatchObject({
    tenants: { upToDate: 1 },
    repeatable: { scripts: 1, tenants: 0 },
  });

  await project.write('.env', 'TENANT_REPEATABLE_DIR=nowhere\n');
  const wrong = await run('status');
  expect(wrong).toMatchObject({ exitCode: 3 });
  expect(wrong.stderr).toContain('TENANT_REPEATABLE_DIR');
});
