import { expect, test } from 'vitest';
import { tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';

test.each([
  ['tenant', 'move', 'org_a', '--to', 'worker'],
  ['tenant', 'move', 'org_a', '--to', 'worker', '--dry-run'],
  ['fleet', 'balance'],
  ['fleet', 'balance', '--dry-run', '--drain', 'worker'],
  ['status', '--nodes'],
])('%s %s is refused where there are no nodes, with the reason, and leaves no run', async (...args) => {
  const { project, testDatabase, query } = await createFleet(['org_a']);
  const { exitCode, stderr } = await tenantctl(args, { cwd: project.folder, env: testDatabase.env });

  expect(exitCode).toBe(1);
  expect(stderr).toContain('✖ This server has no nodes: every tenant is on the server itself.');
  expect(stderr).toContain('Nodes are those of a Citus cluster');
  expect(await query(`SELECT FROM tenantctl.runs WHERE command IN ('tenant move', 'fleet balance')`)).toEqual(
    [],
  );
});
