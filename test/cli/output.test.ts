import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BASE_ENV, startChild } from '../support/child.ts';
import { PROGRAM, startCli, tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';
import { createTable, knexMigration } from '../support/project.ts';
import { noTerminal, tenantctlOnTerminal } from '../support/terminal.ts';

const ESCAPE = '\u001B[';

/** A statement that fails, so that there is something on stderr. */
const FAILING = '-- migrate:up\nALTER TABLE nowhere ADD COLUMN x int;\n';

test('stdout has only the result, stderr everything else; neither is coloured in a pipe', async () => {
  const { project, testDatabase } = await createFleet(['org_a', 'org_b']);
  await project.write('migrations/tenants/20250101000003_broken.sql', FAILING);

  const { exitCode, stdout, stderr } = await tenantctl(['migrate', 'tenants', '--verbose'], {
    cwd: project.folder,
    env: { ...testDatabase.env, FORCE_COLOR: '1' },
  });

  expect(exitCode).toBe(1);
  expect(stdout).toContain('✖ 2 tenants: 0 migrated, 0 up to date, 2 failed');
  expect(stderr).toContain('✖ org_a tid_');
  expect(stdout + stderr).not.toContain(ESCAPE);
});

test("a control character in a tenant's data is escaped, and moves no cursor", async () => {
  const { project, testDatabase } = await createFleet(['org_\u202Eb']);
  await project.write(
    'migrations/tenants/20250101000003_broken.sql',
    "-- migrate:up\nCREATE TABLE w (v text UNIQUE);\nINSERT INTO w SELECT E'\\x1b[2Jx' FROM generate_series(1, 2);\n",
  );
  const options = { cwd: project.folder, env: testDatabase.env };

  const failed = await tenantctl(['migrate', 'tenants', '--verbose'], options);
  const listed = await tenantctl(['tenant', 'list'], options);

  expect(failed.stdout + failed.stderr).toContain('(v)=(\\u001b[2Jx)');
  for (const text of [failed.stdout, failed.stderr, listed.stdout]) {
    expect(text).not.toContain('\u001B');
    expect(text).not.toContain('\u202E');
  }
  expect(listed.stdout).toContain('org_\\u202eb');
});

test('--quiet shows the result and nothing else', async () => {
  const { project, testDatabase } = await createFleet(['org_a']);
  await project.write('migrations/tenants/20250101000003_broken.sql', FAILING);

  const { exitCode, stdout, stderr } = await tenantctl(['--quiet', 'migrate', 'tenants'], {
    cwd: project.folder,
    env: testDatabase.env,
  });

  expect(exitCode).toBe(1);
  expect(stderr).toBe('');
  expect(stdout).toContain('relation "nowhere" does not exist (SQLSTATE 42P01)');
});

test('the output of a migration is not part of the JSON document', async () => {
  const { project, testDatabase } = await createFleet(['org_a']);
  await project.write(
    'migrations/tenants/20250101000003_chatty.js',
    knexMigration(`console.log('from the migration'); process.stdout.write('and more\\n');`),
  );

  const result = await tenantctl(['migrate', 'tenants', '--json'], {
    cwd: project.folder,
    env: testDatabase.env,
  });

  expect(result.json()).toMatchObject({ command: 'migrate tenants', ok: true });
  expect(result.stderr).toContain('from the migration\nand more\n');
});

test('a result that cannot be written ends with 1, and stderr says so', async () => {
  const { project, testDatabase } = await createFleet(['org_a']);
  await testDatabase.query(
    `INSERT INTO tenants (clerk_org_id, schema_name, status)
     SELECT 'org_' || n, 'tid_' || lpad(n::text, 10, '0'), 'SUSPENDED' FROM generate_series(1, 5000) n`,
  );

  const child = startCli(['tenant', 'list'], { cwd: project.folder, env: testDatabase.env });
  child.stdout?.once('data', () => child.stdout?.destroy());
  const { exitCode, stderr } = await child.done;

  const unwritten = 'tenantctl: the result could not be written to stdout';
  expect({ exitCode, stderr }).toEqual({
    exitCode: 1,
    stderr: `${unwritten}: its reader has closed it.\n`,
  });
  const full = ['--version', 'status', 'status --json'].map((args) =>
    startChild('/bin/sh', ['-c', `exec "$0" "$1" ${args} >/dev/full`, process.execPath, PROGRAM], {
      cwd: project.folder,
      env: { ...BASE_ENV, ...testDatabase.env },
    }),
  );
  for (const { done } of full)
    expect(await done).toMatchObject({
      exitCode: 1,
      stderr: `${unwritten}: ENOSPC: no space left on device, write.\n`,
    });
});

test('a folder that was deleted is named as the reason', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tenantctl-'));
  const child = startChild(
    '/bin/sh',
    ['-c', 'rmdir "$PWD" && exec "$0" "$1" status', process.execPath, PROGRAM],
    {
      cwd: folder,
      env: BASE_ENV,
    },
  );
  expect(await child.done).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/^✖ The current folder does not exist any more\.\n→ Change to/),
  });
});

test('a terminal has colours without --no-color, NO_COLOR and CI', async ({ skip }) => {
  skip(noTerminal !== undefined, noTerminal);
  const { project, testDatabase } = await createFleet(['org_a']);
  const shownWith = async (args: string[], env: Record<string, string>) => {
    const { exitCode, shown } = await tenantctlOnTerminal(['status', ...args], {
      cwd: project.folder,
      env: { ...testDatabase.env, ...env },
    });
    expect(exitCode).toBe(0);
    expect(shown).toContain('1 up to date');
    return shown.includes(ESCAPE);
  };

  expect(
    await Promise.all([
      shownWith([], {}),
      shownWith(['--no-color'], {}),
      shownWith([], { NO_COLOR: '1' }),
      shownWith([], { CI: 'true' }),
    ]),
  ).toEqual([true, false, false, false]);
});

test('a spinner turns on a terminal, but not on one without a width', async ({ skip }) => {
  skip(noTerminal !== undefined, noTerminal);
  const { project, testDatabase } = await createFleet(['org_a']);
  await project.write('migrations/tenants/20250101000003_links.sql', createTable('links'));
  const options = { cwd: project.folder, env: testDatabase.env };

  const wide = await tenantctlOnTerminal(
    ['migrate', 'tenants', '--dry-run', '--to', '20250101000003_links'],
    options,
  );
  const migrated = await tenantctlOnTerminal(['migrate', 'tenants'], options);
  await project.write('migrations/tenants/20250101000004_links.sql', createTable('links4'));
  const withoutWidth = await tenantctlOnTerminal(['migrate', 'tenants'], { ...options, columns: 0 });
  await project.write('migrations/tenants/20250101000005_links.sql', createTable('links5'));
  const env = { ...testDatabase.env, NO_COLOR: '1', FORCE_COLOR: '1' };
  const plain = await tenantctlOnTerminal(['migrate', 'tenants'], { ...options, env });

  expect(wide.shown).toContain('CREATE TABLE links');
  expect(migrated.shown).toContain('0/1 tenants');
  expect(migrated.shown).toContain('1 migrated');
  expect(withoutWidth.shown).toContain('1 migrated');
  expect(withoutWidth.shown).not.toContain('0/1 tenants');
  expect(plain.shown).toContain('0/1 tenants');
  expect(plain.shown).not.toContain(`${ESCAPE}36m`);
  expect(plain.shown).not.toContain('Warning');
});
