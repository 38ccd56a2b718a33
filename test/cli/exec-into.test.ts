import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { CLI_ENV, PROGRAM, startCli, tenantctl } from '../support/cli.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { closeGate, until } from '../support/gate.ts';

const called = ({ project, testDatabase }: TestFleet) => ({ cwd: project.folder, env: testDatabase.env });
const contentOf = ({ query }: TestFleet) => query('SELECT * FROM report ORDER BY 1');

test('exec --into replaces the rows of a table; a signal, and a kill, leave the old ones', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const call = ['exec', '--into', 'report', '--sql'];
  const done = await tenantctl([...call, 'SELECT count(*) AS notes FROM notes'], called(fleet));
  expect(done).toMatchObject({ exitCode: 0, stdout: '' });
  expect(done.stderr).toMatch(/^2 rows from 2 of 2 tenants, .*\npublic\.report has 2 rows now\.\n$/);
  const before = [
    { organization: 'org_a', notes: '0' },
    { organization: 'org_b', notes: '0' },
  ];
  expect(await contentOf(fleet)).toEqual(before);

  const many = 'SELECT g AS notes FROM generate_series(1::bigint, 200000) g';
  const told: unknown[] = [];
  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    const gate = await closeGate(fleet.testDatabase);
    const child = startCli(
      [...call, `${many} UNION ALL SELECT length(pg_advisory_xact_lock_shared(4711)::text)`, '--json'],
      called(fleet),
    );
    await gate.reached(1);
    child.kill(signal);
    const { exitCode, stdout } = await child.done;
    told.push([exitCode, stdout && (JSON.parse(stdout) as { into: unknown }).into]);
    await gate.open();
    await until(
      async () =>
        (
          await fleet.query(
            `SELECT FROM pg_stat_activity WHERE application_name = 'tenantctl' AND state <> 'idle'`,
          )
        ).length === 0,
      'the server to roll back',
    );
    expect(await contentOf(fleet)).toEqual(before);
  }
  expect(told).toEqual([
    [130, { table: 'public.report', replaced: false, rows: 0 }],
    [null, ''],
  ]);

  await fleet.query(`DROP TABLE ${schemaNameFor('org_b')}.notes`);
  const sql = 'SELECT count(*) AS notes FROM notes';
  const failed = await tenantctl([...call, sql], called(fleet));
  expect(failed.exitCode).toBe(1);
  expect(failed.stderr).toContain('public.report was not changed.');
  const partial = await tenantctl([...call, sql, '--allow-partial', '--json'], called(fleet));
  expect(partial.exitCode).toBe(1);
  expect(partial.json()).toMatchObject({
    ok: false,
    into: { table: 'public.report', replaced: true, rows: 1 },
    tenants: [{ clerkOrgId: 'org_b', error: { sqlstate: '42P01' } }],
  });
  expect(await contentOf(fleet)).toEqual(before.slice(0, 1));

  for (const args of [
    ['--sql', 'SELECT 1', '--allow-partial'],
    ['--sql', 'SELECT 1', '--into', 'report', '--format', 'csv'],
    ['--sql', 'SELECT 1', '--into', 'a.b.c'],
  ])
    expect((await tenantctl(['exec', ...args], called(fleet))).exitCode).toBe(2);
});

test('exec --into needs bounded memory for any number of rows', async () => {
  const fleet = await createFleet(['org_a']);
  const sql = "SELECT g, repeat('x', 100) AS x FROM generate_series(1, 700000) g";
  const tellMemory = `process.on('exit',()=>console.error('KB',process.resourceUsage().maxRSS))`;
  const child = spawn(process.execPath, ['--', PROGRAM, 'exec', '--into', 'report', '--sql', sql], {
    cwd: fleet.project.folder,
    env: {
      ...CLI_ENV,
      ...fleet.testDatabase.env,
      NODE_OPTIONS: `--import "data:text/javascript,${tellMemory}"`,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  await once(child, 'close');

  expect(stderr).toContain('public.report has 700000 rows now.');
  expect(Number(/KB (\d+)/.exec(stderr)?.[1])).toBeLessThan(220_000);
  expect(await fleet.query('SELECT count(*)::int AS n, sum(length(x))::int AS x FROM report')).toEqual([
    { n: 700_000, x: 70_000_000 },
  ]);
});
