import { cp, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { startCli, tenantctl } from '../support/cli.ts';
import { createTable, createProject, usualProject } from '../support/project.ts';

const REFERENCE = join(import.meta.dirname, '../../migrations');

const filesIn = async (scope: string) => (await readdir(join(REFERENCE, scope))).toSorted();

test('the embedded database runs all commands on the reference migrations with pgvector', async () => {
  const project = await createProject({ 'package.json': '{"type":"module"}' });
  await cp(REFERENCE, join(project.folder, 'migrations'), { recursive: true });
  const run = async (...args: string[]) => {
    const result = await tenantctl([...args, '--json'], { cwd: project.folder });
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    return result.json();
  };

  // The flag in every position, with and without its folder.
  expect(await run('--embedded', 'migrate', 'master')).toMatchObject({ applied: expect.arrayContaining([]) });
  expect(await run('tenant', 'provision', '--embedded', 'default_tenant')).toMatchObject({
    tenants: [{ schema: 'tid_cf4116b064', outcome: 'provisioned', applied: await filesIn('tenants') }],
  });
  await run('make', 'tenant', 'links', '--format', 'sql', '--quiet');
  const [made = ''] = (await readdir(project.tenants)).filter((name) => name.endsWith('_links.sql'));
  await project.write(
    join('migrations/tenants', made),
    createTable('links').replace('id int', 'near vector(3), id int'),
  );
  const migrated = await run('migrate', 'tenants', '--embedded=.tenantctl/embedded');
  expect(migrated).toMatchObject({ totals: { migrated: 1 }, tenants: [{ applied: [made] }] });
  expect(await run('status', '--embedded', './.tenantctl/embedded', '--check')).toMatchObject({
    tenants: { total: 1, upToDate: 1 },
  });
  expect(await run('rollback', 'tenants', '--embedded', '--run', String(migrated.run))).toMatchObject({
    tenants: [{ reverted: [made] }],
  });
  expect(await run('runs', '--embedded')).toMatchObject({
    runs: ['rollback tenants', 'migrate tenants', 'tenant provision', 'migrate master'].map((command) => ({
      command,
    })),
  });
  expect(await readdir(project.folder)).toEqual(['.tenantctl', 'migrations', 'package.json']);
}, 180_000);

describe('a folder whose database', () => {
  test('was incomplete when the program was killed is created again', async () => {
    const project = await usualProject();
    await project.write('data/unfinished', '');
    await project.write('data/pgdata/PG_VERSION', '17\n');
    const made = await tenantctl(['migrate', 'master'], {
      cwd: project.folder,
      env: { DB_EMBEDDED: 'data' },
    });
    expect(made).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await readdir(join(project.folder, 'data'))).toEqual(['pgdata']);
  }, 60_000);

  test('is broken in another way is reported and left alone', async () => {
    const project = await usualProject();
    await project.write('data/pgdata/PG_VERSION', '17\n');
    const refused = await tenantctl(['status', '--json'], {
      cwd: project.folder,
      env: { DB_EMBEDDED: 'data' },
    });
    expect(refused.exitCode).toBe(3);
    expect(refused.json()).toMatchObject({
      error: { code: 'EMBEDDED_UNAVAILABLE', message: expect.not.stringContaining('[object') },
    });
    expect(await readdir(join(project.folder, 'data/pgdata'))).toContain('PG_VERSION');
  }, 60_000);
});

describe('one folder', () => {
  test('serves one process at a time: a second one waits, and a killed one leaves no lock', async () => {
    const project = await usualProject({
      'migrations/master/20250101000001_slow.js':
        'export async function up(knex) { await knex.raw("SELECT pg_sleep(600)"); }',
    });
    const call = { cwd: project.folder, env: { DB_EMBEDDED: 'data' } };
    const killed = startCli(['migrate', 'master'], call);
    const owner = await vi.waitUntil(
      () => readFile(join(project.folder, 'data/owner.pid'), 'utf8').catch(() => ''),
      { timeout: 40_000 },
    );

    const impatient = await tenantctl(['migrate', 'master', '--json'], {
      ...call,
      env: { ...call.env, LOCK_WAIT_TIMEOUT_MS: '200' },
    });
    killed.kill('SIGKILL');
    await killed.done;
    await project.remove('migrations/master/20250101000001_slow.js');
    const [one, other] = await Promise.all([
      tenantctl(['migrate', 'master'], call),
      tenantctl(['migrate', 'master'], call),
    ]);

    expect(owner.split(' ')[0]).toBe(String(killed.pid));
    expect(impatient.exitCode).toBe(5);
    expect(impatient.json()).toMatchObject({
      error: { code: 'LOCK_TIMEOUT', message: expect.stringContaining(`Process ${killed.pid} is using`) },
    });
    expect([one, other].map(({ exitCode, stderr }) => ({ exitCode, stderr }))).toEqual([
      { exitCode: 0, stderr: '' },
      { exitCode: 0, stderr: '' },
    ]);
    expect(
      [one.stdout, other.stdout].filter((text) => text.includes('Applied 1 master migration')),
    ).toHaveLength(1);
    expect([one.stdout, other.stdout].filter((text) => text.includes('is up to date'))).toHaveLength(1);
  }, 180_000);
});
