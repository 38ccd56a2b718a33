import { expect, test } from 'vitest';
import { tenantctl } from '../support/cli.ts';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { createFleet } from '../support/fleet.ts';
import { holdLock } from '../support/hold-lock.ts';
import { createProject, createTable, usualProject } from '../support/project.ts';
import { createDatabase } from '../support/database.ts';

test('0: the work is done, or there was none', async () => {
  const { project, testDatabase } = await createFleet([]);
  const call = { cwd: project.folder, env: testDatabase.env };

  const results = [
    await tenantctl(['migrate', 'master'], call),
    await tenantctl(['migrate', 'tenants'], call),
    await tenantctl(['rollback', 'tenants'], call),
  ];

  expect(results.map(({ exitCode, stdout }) => [exitCode, stdout.split('\n')[0]])).toEqual([
    [0, '✔ The master schema is up to date.'],
    [0, '✔ No ACTIVE tenants are selected: nothing to do.'],
    [0, '✔ No ACTIVE tenants are selected: nothing to do.'],
  ]);
});

test('1: the work failed for one tenant', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const { project, testDatabase } = fleet;
  await fleet.query('CREATE TABLE tid_d09275dbcf.links ()');
  await project.write('migrations/tenants/20250101000003_links.sql', createTable('links'));

  const result = await tenantctl(['migrate', 'tenants', '--json'], {
    cwd: project.folder,
    env: testDatabase.env,
  });

  expect(result.exitCode).toBe(1);
  expect(result.json()).toMatchObject({
    ok: false,
    error: { code: 'MIGRATION_FAILED', tenant: 'org_a', sqlstate: '42P07' },
    totals: { migrated: 1, failed: 1 },
  });
});

test('1: a tenant asked for by name is not ACTIVE, in text, in JSON and in a dry run', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.query(`UPDATE tenants SET status = 'SUSPENDED' WHERE clerk_org_id = 'org_b'`);
  const call = { cwd: fleet.project.folder, env: fleet.testDatabase.env };
  const args = ['migrate', 'tenants', '--tenant', 'org_a', '--tenant', 'org_b'];

  const [text, json, dryRun] = [
    await tenantctl(args, call),
    await tenantctl([...args, '--json'], call),
    await tenantctl([...args, '--dry-run'], call),
  ];

  expect([text.exitCode, json.exitCode, dryRun.exitCode]).toEqual([1, 1, 1]);
  expect(text.stdout).toContain('✖ 1 tenant left out (its status is SUSPENDED): org_b');
  expect(text.stdout).toContain('→ To resume it: tenantctl tenant resume org_b');
  expect(dryRun.stdout).toMatch(/✖ org_b tid_\w+ would be left out: The tenant "org_b" is SUSPENDED/);
  expect(json.json()).toMatchObject({
    ok: false,
    error: { code: 'TENANT_NOT_ACTIVE', tenant: 'org_b' },
    totals: { upToDate: 1, skipped: 1, failed: 0 },
    tenants: [{ clerkOrgId: 'org_b', outcome: 'skipped', error: { code: 'TENANT_NOT_ACTIVE' } }],
  });
});

test('provisioning: 0 for a tenant behind the fleet, which is said; 1 for an ACTIVE one without its schema', async () => {
  const fleet = await createFleet(['org_a', 'org_gone']);
  await fleet.add('3_links.sql', createTable('links'));
  await fleet.migrate();
  await fleet.project.remove('migrations/tenants/3_links.sql');
  await fleet.query(`DROP SCHEMA ${schemaNameFor('org_gone')} CASCADE`);
  const call = { cwd: fleet.project.folder, env: fleet.testDatabase.env };

  const behind = await tenantctl(['tenant', 'provision', 'org_new'], call);
  const gone = await tenantctl(['tenant', 'provision', 'org_new', 'org_gone', '--json'], call);
  const check = await tenantctl(['status', '--check', '--json'], call);

  expect([behind.exitCode, gone.exitCode, check.exitCode]).toEqual([0, 1, 6]);
  expect(behind.stdout).toMatch(/^! org_new is ACTIVE in .*, 1 migration behind the fleet$/m);
  expect(behind.stderr).toContain('org_new is behind the fleet: other tenants have 3_links.sql');
  expect(gone.json()).toMatchObject({
    ok: false,
    error: { code: 'SCHEMA_MISSING', tenant: 'org_gone' },
    tenants: [
      { outcome: 'already-active', behind: ['3_links.sql'], attention: { code: 'BEHIND' } },
      { outcome: 'failed', error: { code: 'SCHEMA_MISSING' } },
    ],
  });
  expect(check.json()).toMatchObject({
    tenants: { behind: 1, upToDate: 0 },
    error: { hint: expect.stringContaining('of the newer release') },
  });
});

test('1: the work could not start', async () => {
  const { project, testDatabase } = await createFleet(['org_a']);
  const empty = await createDatabase();
  const call = { cwd: project.folder, env: testDatabase.env };
  const codeOf = async (args: string[], env = testDatabase.env) => {
    const result = await tenantctl([...args, '--json'], { ...call, env });
    const { error } = result.json<{ error: { code: string; hint: string } }>();
    return [result.exitCode, error.code, error.hint];
  };

  expect(await codeOf(['tenant', 'show', 'nobody'])).toEqual([1, 'TENANT_UNKNOWN', expect.any(String)]);
  await project.write('migrations/master/30000101000000_more.sql', createTable('more'));
  for (const flag of ['--tenant', '--canary'])
    expect(await codeOf(['migrate', 'all', flag, 'nobody'])).toEqual([
      1,
      'TENANT_UNKNOWN',
      expect.any(String),
    ]);
  expect(await testDatabase.query(`SELECT to_regclass('public.more') AS made`)).toEqual([{ made: null }]);
  await project.remove('migrations/master/30000101000000_more.sql');
  expect(await codeOf(['tenant', 'provision', ''])).toEqual([
    1,
    'ORGANIZATION_ID_INVALID',
    expect.any(String),
  ]);
  expect(await codeOf(['tenant', 'list'], empty.env)).toEqual([
    1,
    'REGISTRY_ABSENT',
    expect.stringContaining('Run tenantctl migrate master, which creates it.'),
  ]);
});

test('2: a usage error, or a missing confirmation', async () => {
  const { project, testDatabase } = await createFleet(['org_a']);
  const call = { cwd: project.folder, env: testDatabase.env };

  const results = [
    await tenantctl(['migrate'], call),
    await tenantctl(['make', 'tenant', 'a/b'], call),
    await tenantctl(['rollback', 'tenants', '--all'], call),
  ];

  expect(results.map(({ exitCode }) => exitCode)).toEqual([2, 2, 2]);
});

test('2: a concurrency above what the server allows; the error names the limit', async () => {
  const { project, testDatabase } = await createFleet(['org_a']);
  await project.write('migrations/tenants/20250101000003_links.sql', createTable('links'));

  const result = await tenantctl(['migrate', 'tenants', '--concurrency', '9000', '--json'], {
    cwd: project.folder,
    env: testDatabase.env,
  });

  expect(result.exitCode).toBe(2);
  expect(result.json()).toMatchObject({
    error: {
      code: 'CONCURRENCY_TOO_HIGH',
      message: expect.stringMatching(
        /A concurrency of 9000 needs 9000 connections; \d+ of the server's \d+ are free\./,
      ),
      hint: expect.stringMatching(/Use --concurrency \d+ or less/),
    },
  });
});

test('3: there is no configuration', async () => {
  const project = await createProject();

  const result = await tenantctl(['status', '--json'], { cwd: project.folder });

  expect(result.exitCode).toBe(3);
  expect(result.json()).toMatchObject({
    command: 'status',
    ok: false,
    error: {
      code: 'CONFIG_INVALID',
      message: 'The configuration has 3 problems: DB_HOST, DB_USER, DB_NAME.',
      details: ['DB_HOST: is not set', 'DB_USER: is not set', 'DB_NAME: is not set'],
      hint: expect.stringContaining('--embedded'),
    },
  });
});

test('4: there is no connection', async () => {
  const project = await usualProject();
  const { env } = await createDatabase();

  const nobody = await tenantctl(['status', '--json'], {
    cwd: project.folder,
    env: { ...env, DB_PORT: '1' },
  });
  const elsewhere = await tenantctl(['status', '--json'], {
    cwd: project.folder,
    env: { ...env, DB_HOST: 'nowhere.invalid' },
  });
  const missing = await tenantctl(['status', '--json'], {
    cwd: project.folder,
    env: { ...env, DB_NAME: 'No such' },
  });

  expect([nobody.exitCode, elsewhere.exitCode, missing.exitCode]).toEqual([4, 4, 4]);
  expect(nobody.json()).toMatchObject({
    error: { code: 'CONNECTION_FAILED', message: expect.stringContaining('ECONNREFUSED') },
  });
  expect(elsewhere.json()).toMatchObject({
    error: { message: expect.stringMatching(/Cannot reach PostgreSQL at nowhere\.invalid:\d+: /) },
  });
  expect(missing.json()).toMatchObject({
    error: {
      code: 'DATABASE_MISSING',
      sqlstate: '3D000',
      hint: 'Create it (CREATE DATABASE "No such";) or correct DB_NAME.',
    },
  });
});

test('5: another process holds the lock of the master schema or of a tenant beyond the timeout', async () => {
  const { project, testDatabase } = await createFleet(['org_a', 'org_b']);
  await project.write('migrations/master/20250101000009_more.sql', createTable('more'));
  const call = { cwd: project.folder, env: { ...testDatabase.env, LOCK_WAIT_TIMEOUT_MS: '300' } };

  const master = await holdLock(testDatabase, 'master');
  const waited = await tenantctl(['migrate', 'master', '--json'], call);
  await master.release();
  const served = await tenantctl(['migrate', 'master', '--json'], call);
  await project.write('migrations/tenants/20250101000003_links.sql', createTable('links'));
  const tenant = await holdLock(testDatabase, 'tenant:tid_d09275dbcf');
  const waitedForTenant = await tenantctl(['migrate', 'tenants', '--json'], call);
  await tenant.release();
  const servedTenant = await tenantctl(['migrate', 'tenants', '--json'], call);

  expect([waited.exitCode, served.exitCode]).toEqual([5, 0]);
  expect(waited.json()).toMatchObject({
    error: { code: 'LOCK_TIMEOUT', hint: expect.stringContaining('LOCK_WAIT_TIMEOUT_MS') },
  });
  expect([waitedForTenant.exitCode, servedTenant.exitCode]).toEqual([5, 0]);
  expect(waitedForTenant.json()).toMatchObject({
    error: { code: 'LOCK_TIMEOUT', tenant: 'org_a' },
    totals: { migrated: 1, failed: 1 },
  });
  expect(servedTenant.json()).toMatchObject({ totals: { migrated: 1, upToDate: 1 } });
});

test('6: status finds something, with --check only', async () => {
  const { project, testDatabase } = await createFleet(['org_a', 'org_b']);
  const call = { cwd: project.folder, env: testDatabase.env };
  const allWell = await tenantctl(['status', '--check'], call);
  await project.write('migrations/master/20250101000009_more.sql', createTable('more'));
  await project.write('migrations/tenants/20250101000003_links.sql', createTable('links'));

  const looked = await tenantctl(['status'], call);
  const checked = await tenantctl(['status', '--check', '--json'], call);
  const followed = await tenantctl(['migrate', 'all'], call);
  const checkedAgain = await tenantctl(['status', '--check'], call);

  expect(allWell.exitCode).toBe(0);
  expect(looked.exitCode).toBe(0);
  expect(checked.exitCode).toBe(6);
  expect(checked.json()).toMatchObject({
    ok: false,
    error: {
      code: 'CHECK_FAILED',
      message: 'The check found something: 1 master migration pending, 2 tenants behind.',
      hint: 'tenantctl migrate all applies what is pending.',
    },
    tenants: { total: 2, upToDate: 0, behind: 2 },
  });
  expect([followed.exitCode, checkedAgain.exitCode]).toEqual([0, 0]);
});
