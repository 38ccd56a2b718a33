import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';
import { noTerminal, tenantctlOnTerminal } from '../support/terminal.ts';

test('tenant drop names what goes, refuses without a confirmation, backs up, and leaves a tombstone until it is forgotten', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  const { project, testDatabase } = fleet;
  const call = { cwd: project.folder, env: testDatabase.env };
  const run = (...args: string[]) => tenantctl(['tenant', ...args], call);

  const refused = await run('drop', 'org_a', 'org_b');
  expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
  expect(refused.stderr).toMatch(
    /^✖ This drops 2 tenants with all data:\n {4}org_a \(tid_d09275dbcf, ACTIVE\): 4 tables, about \d+ rows, \d+(?:\.\d)? kB\n {4}org_b .*\n {2}Each is backed up first, into .*\/backups\. It was not confirmed/,
  );
  expect((await run('drop', 'org_a', '--dry-run', '--json')).json()).toMatchObject({
    dryRun: true,
    tenants: [{ clerkOrgId: 'org_a', tables: 4, role: null }],
  });
  expect((await run('drop', 'org_nope', '--yes')).stderr).toContain('The registry has no tenant "org_nope"');

  const dropped = (await run('drop', 'org_a', '--yes', '--json')).json();
  expect(dropped).toMatchObject({ ok: true, tenants: [{ clerkOrgId: 'org_a', outcome: 'dropped' }] });
  const [file = ''] = await readdir(join(project.folder, 'backups'));
  expect(file).toMatch(/^org_a\.tid_d09275dbcf\..*\.tar$/);
  expect((await run('archive', 'org_b', '--out', 'backups', '--yes')).stdout).toMatch(
    /^✔ org_b is ARCHIVED; backup: \/.*\.tar\n/,
  );
  expect((await run('list', '--dropped')).stdout).toMatch(
    new RegExp(`org_a +tid_d09275dbcf .*/backups/${file}`),
  );
  const shown = await run('show', 'org_a');
  expect(shown.exitCode).toBe(1);
  expect(shown.stderr).toMatch(
    /The tenant "org_a" was dropped at 20[^→]*→ To restore it: tenantctl tenant restore \/.*\.tar/,
  );
  expect((await run('drop', 'org_a', '--yes')).stdout).toContain(
    'org_a is dropped already; nothing was changed',
  );
  expect((await run('drop', 'org_a', '--forget')).stdout).toBe('Forgotten: org_a\n');
  expect((await run('list', '--dropped', '--json')).json()).toMatchObject({ dropped: [] });
});

test('on a terminal, tenant drop wants the organization id to be typed', async ({ skip }) => {
  skip(noTerminal !== undefined, noTerminal);
  const fleet = await createFleet(['org_a']);
  const call = { cwd: fleet.project.folder, env: fleet.testDatabase.env };
  const args = ['tenant', 'drop', 'org_a', '--no-backup'];
  const typed = (text: string) => ({ after: /Type org_a to go on:/, text: `${text}\n` });
  expect(await tenantctlOnTerminal(args, { ...call, typed: typed('y') })).toMatchObject({ exitCode: 2 });
  expect(await fleet.query('SELECT status FROM tenants')).toEqual([{ status: 'ACTIVE' }]);
  expect(await tenantctlOnTerminal(args, { ...call, typed: typed('org_a') })).toMatchObject({ exitCode: 0 });
  expect(await fleet.query('SELECT status FROM tenants')).toEqual([]);
});
