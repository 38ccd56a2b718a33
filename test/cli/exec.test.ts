import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CLI_ENV, PROGRAM, startCli, tenantctl } from '../support/cli.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { until } from '../support/gate.ts';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';

function exec({ project, testDatabase }: TestFleet, ...args: string[]) {
  return tenantctl(['exec', ...args], { cwd: project.folder, env: testDatabase.env });
}

test('exec shows the rows of every tenant, in each format, from a file or the command line', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const sql = 'SELECT count(*) AS notes, NULL AS nothing FROM notes';
  await fleet.project.write('count.sql', `\uFEFF-- how many?\n${sql};\n`);
  const sorted = (text: string) => text.trimEnd().split('\n').toSorted();

  const table = await exec(fleet, '--file', 'count.sql');
  expect(sorted(table.stdout)).toEqual([
    'org_a         0      NULL',
    'org_b         0      NULL',
    'organization  notes  nothing',
  ]);
  expect(table.stderr).toMatch(/^2 rows from 2 of 2 tenants, [\d.]+ m?s\n$/);
  const csv = await exec(fleet, '--sql', sql, '--format', 'csv', '--quiet');
  expect([sorted(csv.stdout), csv.stderr]).toEqual([
    ['org_a,0,', 'org_b,0,', 'organization,notes,nothing'],
    '',
  ]);
  const jsonl = await exec(fleet, '--sql', sql, '--format', 'jsonl', '--tenant', 'org_b');
  expect(jsonl.stdout).toBe('{"organization":"org_b","notes":0,"nothing":null}\n');
  const json = (await exec(fleet, '--sql', sql, '--json')).json();
  expect(json).toMatchObject({
    command: 'exec',
    ok: true,
    totals: { selected: 2, answered: 2, failed: 0, skipped: 0, rows: 2 },
    interrupted: false,
    tenants: [],
  });
  expect(json.rows).toHaveLength(2);
});

test('exec names each failed tenant and exits with 1; a text that is not a query exits with 2', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  for (const organization of ['org_a', 'org_b'])
    await fleet.query(`DROP TABLE ${schemaNameFor(organization)}.notes`);
  const sql = 'SELECT count(*) FROM notes';

  const failed = await exec(fleet, '--sql', sql, '--format', 'csv');
  expect(failed).toMatchObject({ exitCode: 1, stdout: 'organization,count\norg_c,0\n' });
  expect(failed.stderr).toContain(
    '✖ 2 tenants failed: relation "notes" does not exist (SQLSTATE 42P01)\n    org_a, org_b\n',
  );
  expect(failed.stderr).toContain('✖ 2 of 3 tenants failed.');
  const json = await exec(fleet, '--sql', sql, '--json');
  expect(json.exitCode).toBe(1);
  expect(json.json()).toMatchObject({
    ok: false,
    rows: [{ organization: 'org_c', count: 0 }],
    totals: { answered: 1, failed: 2 },
    tenants: [
      { outcome: 'failed', rows: 0, error: { sqlstate: '42P01' } },
      { outcome: 'failed', rows: 0, error: { sqlstate: '42P01' } },
    ],
    error: { code: 'TENANTS_FAILED' },
  });

  // "é" in Latin-1
  await writeFile(join(fleet.project.folder, 'latin1.sql'), Buffer.from("SELECT '\u00e9'", 'latin1'));
  const nowhere = { ...fleet.testDatabase.env, DB_PORT: '1' };
  for (const args of [
    ['--sql', 'SELECT 1; COMMIT'],
    ['--sql', 'DELETE FROM notes'],
    ['--sql', 'SELECT 1', '--file', 'count.sql'],
    ['--file', 'missing.sql'],
    ['--file', 'latin1.sql'],
    ['--sql', 'SELECT 1', '--json', '--format', 'csv'],
    [],
  ]) {
    const { exitCode, stdout } = await tenantctl(['exec', ...args], {
      cwd: fleet.project.folder,
      env: nowhere,
    });
    expect({ args, exitCode, ok: stdout === '' || stdout.includes('"ok": false') }).toEqual({
      args,
      exitCode: 2,
      ok: true,
    });
  }
  for (const write of [[], ['--write']])
    expect((await exec(fleet, ...write, '--sql', 'reports/count.sql')).stderr).toContain(
      '→ To read a file: --file reports/count.sql\n',
    );
});

test.for([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s cancels the running queries of exec, exit %i', async ([signal, exitCode]) => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  const atWork = async () => {
    const rows = await fleet.query(
      `SELECT FROM pg_stat_activity WHERE application_name = 'tenantctl' AND query LIKE 'SELECT pg_sleep%'`,
    );
    return rows.length;
  };
  const child = startCli(['exec', '--json', '--concurrency', '2', '--sql', 'SELECT pg_sleep(600)'], {
    cwd: fleet.project.folder,
    env: fleet.testDatabase.env,
  });
  await until(async () => (await atWork()) === 2, 'two tenants to be asked');
  child.kill(signal);
  const result = await child.done;
  expect(result.exitCode).toBe(exitCode);
  expect(result.json()).toMatchObject({
    ok: false,
    rows: [],
    interrupted: true,
    totals: { answered: 0, failed: 0, skipped: 3 },
    error: { code: 'INTERRUPTED' },
  });
  expect(await atWork()).toBe(0);
});

test('exec needs bounded memory for an answer of any size, and ends if the reader closes the pipe', async () => {
  const fleet = await createFleet(['org_a']);
  const sql = "SELECT g, repeat('x', 100) FROM generate_series(1, 1000000) g";
  const tellMemory = `process.on('exit',()=>console.error('KB',process.resourceUsage().maxRSS))`;
  const child = spawn(process.execPath, ['--', PROGRAM, 'exec', '--sql', sql], {
    cwd: fleet.project.folder,
    env: {
      ...CLI_ENV,
      ...fleet.testDatabase.env,
      NODE_OPTIONS: `--import "data:text/javascript,${tellMemory}"`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let length = 0;
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (length += chunk.length));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  await once(child, 'close');
  expect(stderr).toContain('1000000 rows from 1 of 1 tenant');
  expect(length).toBeGreaterThan(100_000_000);
  expect(Number(/KB (\d+)/.exec(stderr)?.[1])).toBeLessThan(220_000);

  const left = startCli(['exec', '--sql', sql], { cwd: fleet.project.folder, env: fleet.testDatabase.env });
  left.stdout?.once('data', () => left.stdout?.destroy());
  expect(await left.done).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('closed it') });
});
