import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { ProvisionDocument } from '../../src/core/documents/migrate-document.ts';
import { CLI_ENV, PROGRAM, tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';

const outcomes = ({ tenants }: ProvisionDocument) =>
  tenants.map(({ clerkOrgId, outcome, line }) => [clerkOrgId, outcome, line]);

test('the organizations of a file are provisioned, and bad lines are reported with their numbers', async () => {
  const { project, testDatabase } = await createFleet(['org_a']);
  const run = (...args: string[]) =>
    tenantctl(['tenant', 'provision', ...args], { cwd: project.folder, env: testDatabase.env });

  await project.write('orgs.csv', '\uFEFFclerk_org_id,name\r\norg_a,A\r\n,nobody\r\norg_b,B\r\norg_b,B\r\n');
  const one = await run('org_c', '--from', 'orgs.csv');
  expect(one.exitCode).toBe(1);
  expect(one.stderr).toContain('✖ Line 3: This organization id is refused: it is empty.');
  expect(one.stderr).toContain('orgs.csv names organizations again in 1 line');
  expect(one.stdout).toContain('org_b is ACTIVE');

  await project.write('orgs.jsonl', '{"org":"org_d"}\n{"org":\n\n{"name":"?"}\n');
  const several = await run('--from', 'orgs.jsonl', '--json');
  expect(several.exitCode).toBe(1);
  expect(outcomes(several.json<ProvisionDocument>())).toEqual([
    ['org_d', 'provisioned', undefined],
    ['', 'failed', 2],
    ['', 'failed', 4],
  ]);
  const again = await run('--from', 'orgs.jsonl');
  expect(again.stderr).toMatch(/line 2.*\n.*line 4/s);

  const registered = await testDatabase.query<{ id: string }>(
    `SELECT clerk_org_id AS id FROM tenants WHERE status = 'ACTIVE' ORDER BY 1`,
  );
  expect(registered.map(({ id }) => id)).toEqual(['org_a', 'org_b', 'org_c', 'org_d']);
});

test('standard input is a file, too; what is no list begins nothing', async () => {
  const { project, testDatabase } = await createFleet([]);
  const options = { cwd: project.folder, env: { ...CLI_ENV, ...testDatabase.env } };
  const command = `"${process.execPath}" "${PROGRAM}" tenant provision --from - --json`;
  const { stdout } = await promisify(execFile)(
    'sh',
    ['-c', `printf 'org_a\\norg_b\\n' | ${command}`],
    options,
  );
  expect(outcomes(JSON.parse(stdout) as ProvisionDocument)).toEqual([
    ['org_a', 'provisioned', undefined],
    ['org_b', 'provisioned', undefined],
  ]);

  await project.write('plans.csv', 'name,plan\norg_c,free\n');
  await project.write('empty.csv', '\n');
  const run = (...args: string[]) =>
    tenantctl(['tenant', 'provision', ...args], { cwd: project.folder, env: testDatabase.env });
  expect(await run('--from', 'plans.csv')).toMatchObject({ exitCode: 1 });
  expect((await run('--from', 'empty.csv')).stderr).toContain('empty.csv names no organization');
  expect((await run('--from', 'nowhere.csv')).stderr).toContain('nowhere.csv does not exist.');
  expect(await run()).toMatchObject({ exitCode: 2 });
  expect(await testDatabase.query('SELECT clerk_org_id FROM tenants')).toHaveLength(2);
});
