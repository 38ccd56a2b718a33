import { expect, test } from 'vitest';
import { tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';
import { makeStampLie } from '../support/lying-stamp.ts';
import { createProject } from '../support/project.ts';
import { expectTruth, FORGIVING, ifMissing, stamped } from '../support/stamps.ts';

const TENANTS = ['org_ahead', 'org_b', 'org_c'];

/** org_b's stamp says that it has 3_links, as org_ahead has; org_c is stamped as what it is, behind. */
async function withOneLie() {
  const fleet = await createFleet(TENANTS, { project: await createProject(FORGIVING) });
  await fleet.add('3_links.js', ifMissing('links'));
  await fleet.migrate({ tenants: ['org_ahead'] });
  await makeStampLie(fleet, 'org_b', 'org_ahead');
  const call = { cwd: fleet.project.folder, env: fleet.testDatabase.env };
  return { fleet, run: (...args: string[]) => tenantctl(args, call) };
}

const TOLD = 'The stamps of 1 tenant did not match the history: org_b.';

test('status trusts a forged stamp; status --verify corrects it for the next status', async () => {
  const { run } = await withOneLie();
  const believing = await run('status', '--json');
  expect(believing.json()).toMatchObject({ tenants: { upToDate: 2, behind: 1 } });
  expect(believing.stderr).toBe('');
  const verifying = await run('status', '--verify', '--json');
  expect(verifying.json()).toMatchObject({ tenants: { upToDate: 1, behind: 2 } });
  expect(verifying.stderr).toContain(TOLD);
  expect(verifying.exitCode).toBe(0);
  const after = await run('status', '--json');
  expect(after.json()).toMatchObject({ tenants: { upToDate: 1, behind: 2 } });
  expect(after.stderr).toBe('');
});

test('status --verify --check finds what a forged stamp hides', async () => {
  const { fleet, run } = await withOneLie();
  await fleet.migrate();
  expect((await run('status', '--check')).exitCode).toBe(0);
  expect((await run('status', '--verify', '--check')).exitCode).toBe(6);
});

test.each([[['migrate', 'tenants']], [['migrate', 'all']]])(
  '%s skips a tenant with a forged stamp; with --verify it is reported and migrated',
  async (command) => {
    const { fleet, run } = await withOneLie();
    const believing = await run(...command);
    expect(believing).toMatchObject({ exitCode: 0 });
    expect(await fleet.history('org_b')).toEqual(['1_notes.js@1', '2_tags.js@1']);
    const verifying = await run(...command, '--verify', '--json');
    expect(verifying.exitCode).toBe(0);
    expect(JSON.stringify(verifying.json())).toContain('3_links.js');
    expect(verifying.stderr).toContain(TOLD);
    expect(await fleet.history('org_b')).toEqual(['1_notes.js@1', '2_tags.js@1', '3_links.js@2']);
    expect(await stamped(fleet)).toEqual(TENANTS);
    await expectTruth(fleet, ...TENANTS);
  },
);

test('migrate tenants --verify --dry-run plans by the histories, and does not change the stamps', async () => {
  const { fleet, run } = await withOneLie();
  const stamps = () => fleet.query('SELECT *, xmin FROM tenantctl.stamps ORDER BY 1');
  const before = await stamps();
  const believing = await run('migrate', 'tenants', '--dry-run', '--json');
  expect(believing.stdout).not.toContain('"org_b"');
  const verifying = await run('migrate', 'tenants', '--dry-run', '--verify', '--json');
  expect(verifying.exitCode).toBe(0);
  expect(verifying.stdout).toContain('"org_b"');
  expect(await stamps()).toEqual(before);
});
