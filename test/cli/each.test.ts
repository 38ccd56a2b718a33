import { spawnSync } from 'node:child_process';
import { chmod } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { startCli, tenantctl } from '../support/cli.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { until } from '../support/gate.ts';

const SECRET = 'canary-8d1e';
const PG = createRequire(import.meta.url).resolve('pg');

const called = ({ project, testDatabase }: TestFleet) => ({
  cwd: project.folder,
  env: { ...testDatabase.env, DB_PASSWORD: SECRET },
});
const each = (fleet: TestFleet, ...args: string[]) => tenantctl(['each', ...args], called(fleet));
const sorted = (text: string) => text.trimEnd().split('\n').toSorted();

/** A program that says where it is, by the variables and by the URL if there is one. */
const ASK = `const { Client } = require(${JSON.stringify(PG)});
const { TENANT_ORG, TENANT_SCHEMA, DATABASE_URL } = process.env;
const client = new Client(DATABASE_URL ?? {});
client.connect().then(async () => {
  const { rows } = await client.query("SELECT current_schema() AS s, current_schemas(false)::text AS path, current_setting('work_mem') AS m");
  console.log(JSON.stringify([TENANT_ORG, rows[0].s === TENANT_SCHEMA, rows[0].path.endsWith(',public}'), rows[0].m, DATABASE_URL === undefined]));
  await client.end();
});`;

test('each runs a program for every tenant, connected to its schema, with lines that name it', async () => {
  const fleet = await createFleet(['org_a']);
  const odd = `we ird\\ "q" 'x'\t-c`;
  await fleet.query(`CREATE SCHEMA "${odd.replaceAll('"', '""')}";
    INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ($$o'"\\ %$$, $odd$${odd}$odd$, 'ACTIVE')`);
  const { cwd, env } = called(fleet);
  const where = (isUrl: boolean) =>
    ['org_a', `o'"\\ %`]
      .map((org) => `${org} | ${JSON.stringify([org, true, true, '7MB', !isUrl])}`)
      .toSorted();

  const parts = await tenantctl(['each', '--', process.execPath, '-e', ASK], {
    cwd,
    env: { ...env, PGOPTIONS: '-c work_mem=7MB' },
  });
  expect(parts).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(/^2 of 2 tenants done, /) });
  expect(sorted(parts.stdout)).toEqual(where(false));
  const { DB_HOST, DB_PORT, DB_USER, DB_NAME } = env as Record<string, string>;
  const url = await tenantctl(['each', '--', process.execPath, '-e', ASK], {
    cwd,
    env: {
      DATABASE_URL: `postgres://${DB_USER}:${SECRET}%2F@${DB_HOST}:${DB_PORT}/${DB_NAME}`,
      PGOPTIONS: '-c work_mem=7MB',
    },
  });
  expect(sorted(url.stdout)).toEqual(where(true));
});

test('each gathers exit codes, names what failed, and stops after too many failures', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c', 'org_d']);
  await fleet.query(`DROP SCHEMA ${schemaNameFor('org_d')} CASCADE`);
  const script = `printf 'eins\\nzw\\303\\266lf'; echo to stderr >&2; [ $TENANT_ORG = org_a ] || exit 3`;

  const failed = await each(fleet, '--', 'sh', '-c', script);
  expect(failed.exitCode).toBe(1);
  expect(sorted(failed.stdout)).toEqual(
    ['org_a', 'org_b', 'org_c'].flatMap((org) => [`${org} | eins`, `${org} | zwölf`]),
  );
  expect(failed.stderr).toContain('org_b | to stderr\n');
  expect(failed.stderr).toContain('✖ 2 tenants failed: sh ended with exit code 3.\n    org_b, org_c\n');
  expect(failed.stderr).toContain('3 of 4 tenants failed.');

  await fleet.project.write('broken', '#!/missing/interpreter\n');
  await chmod(join(fleet.project.folder, 'broken'), 0o755);
  const broken = await each(fleet, '--tenant', 'org_a', '--', './broken');
  expect(broken).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/✖ .\/broken did not start: /) });
  expect(broken.stderr).not.toContain('    at ');
  for (const none of ['', fleet.project.folder])
    expect((await each(fleet, '--', none)).stderr).toContain(`There is no program "${none}".`);

  const json = (await each(fleet, '--json', '--', 'sh', '-c', `${script}; kill -9 $$`)).json();
  expect(json).toMatchObject({
    command: 'each',
    ok: false,
    totals: { selected: 4, done: 0, failed: 4, skipped: 0 },
    tenants: expect.arrayContaining([
      expect.objectContaining({ clerkOrgId: 'org_a', outcome: 'failed', exitCode: null, signal: 'SIGKILL' }),
      expect.objectContaining({
        clerkOrgId: 'org_b',
        exitCode: 3,
        stdout: 'eins\nzwölf',
        stderr: 'to stderr\n',
      }),
      expect.objectContaining({
        clerkOrgId: 'org_d',
        error: expect.objectContaining({ code: 'SCHEMA_MISSING' }),
      }),
    ]),
  });

  const stopped = await each(
    fleet,
    '--concurrency',
    '1',
    '--max-failures',
    '0',
    '--tenant',
    'org_a,org_b,org_c',
    '--json',
    '--',
    'false',
  );
  expect(stopped.exitCode).toBe(1);
  expect(stopped.json()).toMatchObject({
    totals: { done: 0, failed: 1, skipped: 2 },
    error: { code: 'ROLLOUT_STOPPED' },
  });
  for (const args of [['--', 'no-such-program'], ['--'], ['--concurrency', '0', '--', 'true']])
    expect((await each(fleet, ...args)).exitCode).toBe(2);
});

test('each shows no password, whatever the program writes', async () => {
  const fleet = await createFleet(['org_a']);
  const script = 'echo "$PGPASSWORD"; env; env >&2; exit 1';
  for (const flags of [[], ['--json']]) {
    const { stdout, stderr, exitCode } = await each(fleet, ...flags, '--', 'sh', '-c', script);
    expect(exitCode).toBe(1);
    expect(stdout + stderr).toContain('TENANT_ORG=org_a');
    expect(stdout + stderr).not.toContain(SECRET);
  }
});

test('each works on tenants side by side, as many as --concurrency', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  // Each waits until two of them are at work; a third one would make three folders.
  const script = `mkdir at_$TENANT_ORG; i=0; while [ $(ls -d at_* | wc -l) -lt 2 ] && [ ! -e met ] && [ $i -lt 200 ]; do sleep 0.05; i=$((i+1)); done
    touch met; ls -d at_* | wc -l; sleep 0.2; rmdir at_$TENANT_ORG; [ $i -lt 200 ]`;
  const { stdout, exitCode } = await each(fleet, '--concurrency', '2', '--', 'sh', '-c', script);
  expect(exitCode).toBe(0);
  expect(Math.max(...[...stdout.matchAll(/\| *(\d)/g)].map(([, n]) => Number(n)))).toBe(2);
});

test.for([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)(
  '%s reaches the programs and those that they started; the rest is not begun',
  async ([signal, exitCode]) => {
    const fleet = await createFleet(['org_a', 'org_b']);
    const mark = `600.${process.pid}${exitCode}`;
    const isAsleep = () => spawnSync('pgrep', ['-f', `^sleep ${mark}`]).status === 0;
    const script = `trap 'echo heard; exit 7' INT TERM HUP; sleep ${mark}`;
    const child = startCli(
      ['each', '--concurrency', '1', '--json', '--', 'bash', '-c', script],
      called(fleet),
    );
    await until(() => Promise.resolve(isAsleep()), 'the program to be at work');
    child.kill(signal);
    const result = await child.done;

    expect(result.exitCode).toBe(exitCode);
    expect(result.json()).toMatchObject({
      interrupted: true,
      error: { code: 'INTERRUPTED' },
      totals: { done: 0, failed: 1, skipped: 1 },
      tenants: [{ outcome: 'failed', exitCode: 7, stdout: 'heard\n' }, { outcome: 'skipped' }],
    });
    expect(isAsleep()).toBe(false);
  },
);

test('a second signal kills programs that ignore the first; so does the end of whoever reads the output', async () => {
  const fleet = await createFleet(['org_a']);
  const mark = `600.${process.pid}1`;
  const isAsleep = () => Promise.resolve(spawnSync('pgrep', ['-f', `^sleep ${mark}`]).status === 0);
  const stubborn = startCli(['each', '--', 'sh', '-c', `trap '' INT; sleep ${mark}`], called(fleet));
  await until(isAsleep, 'the program to be at work');
  stubborn.kill('SIGINT');
  await stubborn.said('A second one kills them');
  expect(await isAsleep()).toBe(true);
  stubborn.kill('SIGINT');
  expect((await stubborn.done).exitCode).toBe(130);
  expect(await isAsleep()).toBe(false);

  const left = startCli(
    ['each', '--', 'sh', '-c', `sleep ${mark} & while :; do echo x; sleep 0.01; done`],
    called(fleet),
  );
  left.stdout?.once('data', () => left.stdout?.destroy());
  expect((await left.done).exitCode).toBe(1);
  await until(async () => !(await isAsleep()), 'the program to end');
});
