import { expect, test } from 'vitest';
import { tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';
import { createTable } from '../support/project.ts';

test('history mark shows what it would record, asks, and records it', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add('20250101000003_links.sql', createTable('links'));
  const run = (...args: string[]) =>
    tenantctl(['history', 'mark', ...args], { cwd: fleet.project.folder, env: fleet.testDatabase.env });
  const planned = await run('--all', '--dry-run');
  expect(planned).toMatchObject({ exitCode: 0, stderr: '' });
  expect(planned.stdout).toBe(
    '→ 1 migration would be recorded as applied, not run: org_a, org_b\n  20250101000003_links.sql\n✔ 2 histories: 2 would be changed\n',
  );
  const asked = await run('--all');
  expect(asked.exitCode).toBe(2);
  expect(asked.stderr).toContain('This records 1 migration as applied in 2 tenants (org_a, org_b).');
  const marked = await run('links', '--tenant', 'org_a', '--yes', '--json');
  expect(marked).toMatchObject({ exitCode: 1 });
  expect(marked.json()).toMatchObject({ error: { code: 'MIGRATION_UNKNOWN' } });
  const named = await run('20250101000003_links', '--tenant', 'org_a', '--yes', '--json');
  expect(named.json()).toMatchObject({
    ok: true,
    tenants: [{ clerkOrgId: 'org_a', outcome: 'marked', marked: ['20250101000003_links.sql'], batch: 2 }],
  });
  const rest = await run('--to', '20250101000003_links.sql', '--yes');
  expect(rest.stdout).toContain('✔ 2 histories: 1 changed, 1 had them already');
  expect(await run()).toMatchObject({ exitCode: 2 });
  expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 2 });
});
