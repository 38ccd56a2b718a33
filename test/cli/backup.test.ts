import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { startChild } from '../support/child.ts';
import { CLI_ENV, PROGRAM, startCli, tenantctl } from '../support/cli.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { noTerminal, tenantctlOnTerminal } from '../support/terminal.ts';

const at = ({ project, testDatabase }: TestFleet) => ({ cwd: project.folder, env: testDatabase.env });

async function fleetWithFolder(organizations: readonly string[]): Promise<TestFleet> {
  const fleet = await createFleet(organizations);
  await mkdir(join(fleet.project.folder, 'out'));
  return fleet;
}

/** A shell's pipeline in which $TC is the program. */
const shell = (fleet: TestFleet, script: string) =>
  startChild('bash', ['-c', `TC="${process.execPath} ${PROGRAM}"; set -o pipefail; ${script}`], {
    cwd: fleet.project.folder,
    env: { ...CLI_ENV, ...fleet.testDatabase.env },
  }).done;

test('tenants are backed up to files, which are verified, shown and compared', async () => {
  const fleet = await fleetWithFolder(['org_a', 'org_b']);
  const plan = await tenantctl(['tenant', 'backup', '--all', '--out', 'out', '--dry-run'], at(fleet));
  expect(plan.stdout).toMatch(/org_a +tid_\w+ +3 +about 0 +\S+ kB[^]*2 tenants would be backed up: /);
  expect(await readdir(join(fleet.project.folder, 'out'))).toEqual([]);

  const all = await tenantctl(['tenant', 'backup', '--all', '--out', 'out'], at(fleet));
  expect(all).toMatchObject({ exitCode: 0 });
  expect(all.stdout).toMatch(
    /✔ org_a: \/\S+\/out\/org_a\.\S+\.tar 2 rows, \S+ kB\n[^]*✔ 2 tenants: 2 backed up \(/,
  );
  const one = await tenantctl(['tenant', 'backup', 'org_a', '--out', 'out', '--json'], at(fleet));
  const { file } = one.json<{ tenants: { file: string }[] }>().tenants[0] ?? { file: '' };
  const shown = await tenantctl(['tenant', 'show', 'org_a'], at(fleet));
  expect(shown.stdout.split('\n').find((line) => line.startsWith('Backups'))).toContain(file);

  const verified = await tenantctl(['tenant', 'verify', file, '--tenant', 'org_a'], at(fleet));
  expect(verified).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Organization  org_a\n') });
  expect(verified.stdout).toContain('✔ org_a has the same migrations, shape and rows.');
  await fleet.query(`INSERT INTO ${schemaNameFor('org_a')}.notes VALUES (1)`);
  const differs = await tenantctl(['tenant', 'verify', file, '--tenant', 'org_a'], at(fleet));
  expect(differs).toMatchObject({ exitCode: 6 });
  expect(differs.stdout).toContain(
    '✖ org_a differs from the backup:\n  table notes: 1 row; the backup has 0\n',
  );

  const bytes = await readFile(file);
  bytes[bytes.length - 3_000] = (bytes[bytes.length - 3_000] ?? 0) ^ 1;
  await writeFile(join(fleet.project.folder, 'bad.tar'), bytes);
  const bad = await tenantctl(['tenant', 'verify', file, 'bad.tar', 'out', 'none.tar', '--json'], {
    cwd: at(fleet).cwd,
  });
  expect(bad.exitCode).toBe(1);
  const { files } = bad.json<{ files: { ok: boolean; error?: { code: string } }[] }>();
  expect(files.map(({ ok, error }) => error?.code ?? ok)).toEqual([
    true,
    'BACKUP_DAMAGED',
    'FILE_UNUSABLE',
    'FILE_UNUSABLE',
  ]);
});

test('one tenant goes to stdout; a reader that stops, and a full disk, are failures', async () => {
  const fleet = await fleetWithFolder(['org_a', 'org_b']);
  await fleet.query(`INSERT INTO ${schemaNameFor('org_a')}.notes SELECT generate_series(1, 100000)`);
  const piped = await shell(fleet, '$TC tenant backup org_a --out - | $TC tenant verify -');
  expect(piped).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('100002 rows in 3 tables') });
  expect(piped.stderr).toMatch(/org_a: 100002 rows, \S+ kB, SHA-256 [0-9a-f]{64}\n/);
  const stopped = await shell(fleet, '$TC tenant backup org_a --out - | head -c 10 >/dev/null');
  expect(stopped).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('its reader has closed it') });
  const full = await shell(fleet, '$TC tenant backup org_a --out - > /dev/full');
  expect(full).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/no space left/i) });

  const usage = (...args: string[]) => tenantctl(['tenant', 'backup', ...args], at(fleet));
  for (const [args, message] of [
    [['org_a', 'org_b', '--out', '-'], 'stdout takes the backup of one tenant.'],
    [['org_a', '--out', '-', '--json'], '--json and --out - exclude each other'],
    [['org_a', '--all', '--out', 'out'], 'Name the tenants to back up, or give --all; not both.'],
    [['--out', 'out'], 'Name the tenants to back up, or give --all; not both.'],
  ] as const) {
    const { exitCode, stdout, stderr } = await usage(...args);
    expect({ exitCode, said: stdout + stderr }).toEqual({
      exitCode: 2,
      said: expect.stringContaining(message),
    });
  }
  expect(await usage('org_a', '--out', 'none/none')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('none/none cannot be written: its parent does not exist.'),
  });
  expect(await usage('org_a')).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('/backups/org_a.'),
  });
});

test('a killed backup leaves a temporary file that is no backup, and the next one removes it', async () => {
  const fleet = await fleetWithFolder(['org_a']);
  await fleet.query(`INSERT INTO ${schemaNameFor('org_a')}.notes SELECT generate_series(1, 2000000)`);
  const folder = join(fleet.project.folder, 'out');
  const child = startCli(['tenant', 'backup', 'org_a', '--out', 'out'], at(fleet));
  await expect.poll(() => readdir(folder), { timeout: 20_000 }).toHaveLength(1);
  child.kill('SIGKILL');
  await once(child, 'close');
  const [partial = ''] = await readdir(folder);
  expect(partial).toMatch(/\.partial$/);
  const verified = await tenantctl(['tenant', 'verify', join('out', partial)], at(fleet));
  expect(verified).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/is (damaged or incomplete|empty)/),
  });
  await fleet.query(`TRUNCATE ${schemaNameFor('org_a')}.notes`);
  const again = await tenantctl(['tenant', 'backup', 'org_a', '--out', 'out'], at(fleet));
  expect(again).toMatchObject({ exitCode: 0, stderr: '' });
  expect(await readdir(folder)).toEqual([expect.stringMatching(/\.tar$/)]);
});

test('no backup is written to a terminal, whether its width is known or not', async ({ skip }) => {
  skip(noTerminal !== undefined, noTerminal);
  const fleet = await createFleet(['org_a']);
  for (const columns of [0, 120]) {
    const call = ['tenant', 'backup', 'org_a', '--out', '-'];
    const { exitCode, shown } = await tenantctlOnTerminal(call, { ...at(fleet), columns });
    expect(exitCode).toBe(2);
    expect(shown).toContain('stdout is a terminal: a backup is binary.');
  }
});
