import { expect, test } from 'vitest';
import { tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';
import { createTable } from '../support/project.ts';
import { noTerminal, tenantctlOnTerminal } from '../support/terminal.ts';

test('rollback tenants --all is refused without a terminal, and names the tenants that would lose data', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const { project, testDatabase } = fleet;
  const call = { cwd: project.folder, env: testDatabase.env };

  const refused = await tenantctl(['rollback', 'tenants', '--all'], call);
  const asDocument = await tenantctl(['rollback', 'tenants', '--all', '--json'], call);

  expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
  expect(refused.stderr).toBe(
    '✖ This undoes every migration of 2 tenants (org_a, org_b) and destroys their data. It was not confirmed, and there is no terminal to ask on.\n' +
      '→ Add --yes to confirm. Nothing was changed.\n',
  );
  expect(asDocument.exitCode).toBe(2);
  expect(asDocument.json()).toMatchObject({ ok: false, error: { code: 'CONFIRMATION_REQUIRED' } });
  expect(await fleet.tables('org_a')).toEqual(['notes', 'tags']);
});

test('--yes confirms, and exactly the named tenants are rolled back', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const { project, testDatabase } = fleet;
  const call = { cwd: project.folder, env: testDatabase.env };

  const one = await tenantctl(['rollback', 'tenants', '--all', '--yes', '--tenant', 'org_b', '--json'], call);
  const nothing = await tenantctl(['rollback', 'tenants', '--all', '--tenant', 'org_b'], call);

  expect(one.json()).toMatchObject({
    ok: true,
    totals: { selected: 1, rolledBack: 1 },
    tenants: [
      {
        clerkOrgId: 'org_b',
        outcome: 'rolled-back',
        reverted: ['20250101000002_tags.sql', '20250101000001_notes.sql'],
      },
    ],
  });
  expect(await fleet.tables('org_a')).toEqual(['notes', 'tags']);
  expect(await fleet.tables('org_b')).toEqual([]);
  // Where nothing would be destroyed nobody is asked.
  expect(nothing).toMatchObject({ exitCode: 0, stderr: '' });
});

test('undoing a deploy needs no confirmation, and leaves alone a customer who came after it; by name, the loss is asked about', async () => {
  const fleet = await createFleet(['org_a']);
  const { project, testDatabase } = fleet;
  await project.write('migrations/tenants/20250101000003_links.sql', createTable('links'));
  await fleet.migrate();
  await fleet.provision('org_new');
  const run = (...args: string[]) =>
    tenantctl(['rollback', 'tenants', ...args], { cwd: project.folder, env: testDatabase.env });

  const dryRun = await run('--dry-run');
  const { exitCode, stdout, stderr } = await run();
  const refused = await run('--tenant', 'org_new', '--json');

  const leftOut = `! 1 tenant left out (the last batch was written by provisioning; to undo it: tenantctl rollback tenants --tenant <org>): org_new`;
  expect(dryRun.stdout).toContain(leftOut);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toContain(leftOut);
  expect(await fleet.tables('org_a')).toEqual(['notes', 'tags']);
  expect(refused.exitCode).toBe(2);
  expect(refused.json()).toMatchObject({
    error: {
      code: 'CONFIRMATION_REQUIRED',
      message: expect.stringContaining('undoes every migration of 1 tenant (org_new)') as string,
    },
  });
  expect(await fleet.tables('org_new')).toEqual(['links', 'notes', 'tags']);
  expect((await run('--tenant', 'org_new', '--yes')).exitCode).toBe(0);
  expect(await fleet.tables('org_new')).toEqual([]);
});

test('rollback master --all needs confirmation, and is refused while there are tenants', async () => {
  const fleet = await createFleet([]);
  const { project, testDatabase } = fleet;
  const call = { cwd: project.folder, env: testDatabase.env };
  const unconfirmed = await tenantctl(['rollback', 'master', '--all'], call);
  await fleet.provision('org_a');
  const inUse = await tenantctl(['rollback', 'master', '--all', '--yes'], call);
  const lastBatch = await tenantctl(['rollback', 'master'], call);
  const registry = await fleet.query(`SELECT clerk_org_id FROM tenants`);
  await fleet.query('DELETE FROM tenants');
  const confirmed = await tenantctl(['rollback', 'master', '--all', '--yes'], call);

  expect(unconfirmed.exitCode).toBe(2);
  expect(unconfirmed.stderr).toContain('This undoes every master migration (20250101000000_init_db.sql)');
  for (const { exitCode, stderr } of [inUse, lastBatch]) {
    expect(exitCode).toBe(1);
    expect(stderr).toContain('This would drop the registry while it holds 1 tenant: org_a.');
  }
  expect(registry).toEqual([{ clerk_org_id: 'org_a' }]);
  expect(confirmed.exitCode).toBe(0);
  expect(await fleet.query(`SELECT to_regclass('public.tenants') AS tenants`)).toEqual([{ tenants: null }]);
});

test('rollback master names the shared tables that it would drop, and the tenants, and asks', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const { project, testDatabase } = fleet;
  const call = { cwd: project.folder, env: testDatabase.env };
  await project.write('migrations/master/20250101000001_areas.sql', createTable('areas'));
  await tenantctl(['migrate', 'master'], call);

  const refused = await tenantctl(['rollback', 'master'], call);
  const kept = await fleet.query(`SELECT to_regclass('public.areas') IS NOT NULL AS kept`);
  const confirmed = await tenantctl(['rollback', 'master', '--yes', '--json'], call);

  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toContain(
    'This drops 1 table that 2 tenants (org_a, org_b) may use, with all data: areas.',
  );
  expect(kept).toEqual([{ kept: true }]);
  expect(confirmed.json()).toMatchObject({ ok: true, reverted: ['20250101000001_areas.sql'] });
});

test('a terminal shows the question: no, Ctrl-C and end of input change nothing, yes continues', async ({
  skip,
}) => {
  skip(noTerminal !== undefined, noTerminal);
  const fleet = await createFleet(['org_a']);
  const { project, testDatabase } = fleet;
  const answer = (text: string) =>
    tenantctlOnTerminal(['rollback', 'tenants', '--all'], {
      cwd: project.folder,
      env: testDatabase.env,
      typed: { after: /Go on\? \[y\/N\]/, text },
    });

  const [no, nothing, controlC, controlD] = await Promise.all([
    answer('n\r'),
    answer('\r'),
    answer('\u0003'),
    answer('\u0004'),
  ]);
  const untouched = await fleet.tables('org_a');
  const yes = await answer('y\r');

  for (const { exitCode, shown } of [no, nothing, controlD]) {
    expect(exitCode).toBe(2);
    expect(shown).toContain('The answer was no: nothing was changed.');
  }
  expect(controlC.exitCode).toBe(130);
  expect(controlC.shown).toContain('Stopped before anything was changed.');
  expect(untouched).toEqual(['notes', 'tags']);
  expect(yes.exitCode).toBe(0);
  expect(await fleet.tables('org_a')).toEqual([]);
});
