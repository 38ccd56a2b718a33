import { describe, expect, test } from 'vitest';
import { tenantctl } from '../support/cli.ts';
import { createProject } from '../support/project.ts';

const MISTAKES = [
  {
    args: ['bogus'],
    command: '',
    message: 'Unknown command "bogus".',
    hint: 'tenantctl --help shows how to call it.',
  },
  { args: ['migrat'], command: '', message: 'Unknown command "migrat".', hint: 'Did you mean migrate?' },
  {
    args: ['migrate'],
    command: 'migrate',
    message: 'tenantctl migrate needs a subcommand: master, tenants, all.',
    hint: 'tenantctl migrate --help shows how to call it.',
  },
  {
    args: ['rollback', 'bogus'],
    command: 'rollback',
    message: 'Unknown command "bogus".',
    hint: 'tenantctl rollback --help shows how to call it.',
  },
  {
    args: ['resolve', 'master'],
    command: 'resolve',
    message: 'Say whether the work was done: --applied or --retry.',
    hint: 'tenantctl status names the migration. Check in the schema whether its work is there.',
  },
  {
    args: ['up', '--dry'],
    command: 'migrate all',
    message: 'Unknown option "--dry".',
    hint: 'Did you mean --dry-run?',
  },
  {
    args: ['--embedded=', 'status'],
    command: '',
    message: 'Option "--embedded [dir]" argument is empty; without one it means the usual folder.',
    hint: 'tenantctl --help shows how to call it.',
  },
  {
    args: ['help', 'nosuch'],
    command: '',
    message: 'Unknown command "nosuch".',
    hint: 'tenantctl --help shows how to call it.',
  },
  {
    args: ['status', '--chek'],
    command: 'status',
    message: 'Unknown option "--chek".',
    hint: 'Did you mean --check?',
  },
  {
    args: ['tenant', 'rename', 'org_a', 'org_b', '--allow-stale'],
    command: 'tenant rename',
    message: '--allow-stale belongs to --with-schema.',
    hint: 'tenantctl tenant rename --help shows how to call it.',
  },
  {
    args: ['tenant', 'drop', 'org_a', '--no-backup', '--out', 'backups'],
    command: 'tenant drop',
    message: 'Option "--no-backup" cannot be used with option "--out <folder>".',
    hint: 'tenantctl tenant drop --help shows how to call it.',
  },
  {
    args: ['tenant', 'drop', 'org_a', '--forget', '--dry-run'],
    command: 'tenant drop',
    message: 'Option "--forget" cannot be used with option "--dry-run".',
    hint: 'tenantctl tenant drop --help shows how to call it.',
  },
  {
    args: ['drift', 'show', 'org_a', '--all'],
    command: 'drift show',
    message: 'drift show compares one tenant: --all, --tenant and --include belong to drift.',
    hint: 'tenantctl drift --help shows how to call it.',
  },
  {
    args: ['tenant', 'provision'],
    command: 'tenant provision',
    message: 'No organization is named.',
    hint: 'Name organization ids, or a file of them: tenantctl tenant provision --from organizations.csv',
  },
  {
    args: ['tenant', 'suspend'],
    command: 'tenant suspend',
    message: 'Missing required argument "org or schema".',
    hint: 'tenantctl tenant suspend --help shows how to call it.',
  },
  {
    args: ['status', 'everything'],
    command: 'status',
    message: 'Too many arguments for "status". Expected 0 arguments but got 1: everything.',
    hint: 'tenantctl status --help shows how to call it.',
  },
  {
    args: ['--dotenv', 'a.env', 'rollback', 'tenants', '--all', '--to', 'x'],
    command: 'rollback tenants',
    message: 'Option "--all" cannot be used with option "--to <name>".',
    hint: 'tenantctl rollback tenants --help shows how to call it.',
    files: { 'a.env': '' },
  },
];

describe('a usage error', () => {
  test.for(MISTAKES)('$args: message and hint on stderr, exit 2', async ({ args, message, hint, files }) => {
    const { folder } = await createProject(files);

    const result = await tenantctl(args, { cwd: folder });

    expect(result).toMatchObject({ exitCode: 2, stdout: '', stderr: `✖ ${message}\n→ ${hint}\n` });
  });

  test.for(MISTAKES)(
    '$args with --json: one document on stdout',
    async ({ args, command, message, hint, files }) => {
      const { folder } = await createProject(files);

      const result = await tenantctl([...args, '--json'], { cwd: folder });

      expect(result).toMatchObject({ exitCode: 2, stderr: '' });
      expect(result.json()).toEqual({ command, ok: false, error: { code: 'USAGE', message, hint } });
    },
  );

  test.for(['0', '-1', 'abc', '1.5', '100000', ''])('--concurrency "%s" is refused', async (value) => {
    const { folder } = await createProject();

    const { exitCode, stderr } = await tenantctl(['migrate', 'tenants', `--concurrency=${value}`], {
      cwd: folder,
    });

    expect(exitCode).toBe(2);
    expect(stderr).toContain('Expected a whole number from 1 to 10000, or auto.');
  });
});

test('the program without a command shows its help and exits with 2', async () => {
  const { folder } = await createProject();

  const result = await tenantctl([], { cwd: folder });

  expect(result).toMatchObject({ exitCode: 2, stdout: '' });
  expect(result.stderr).toMatch(/^Usage: tenantctl/);
});

test('help and version go to stdout, as a document with --json', async () => {
  const { folder } = await createProject();

  const help = await tenantctl(['migrate', 'tenants', '--help'], { cwd: folder });
  const first = await tenantctl(['--help', 'migrate', 'tenants'], { cwd: folder });
  const helpDocument = await tenantctl(['migrate', 'tenants', '--help', '--json'], { cwd: folder });
  const version = await tenantctl(['--version'], { cwd: folder });
  const short = await tenantctl(['-v'], { cwd: folder });
  const versionDocument = await tenantctl(['--version', '--json'], { cwd: folder });

  expect(help).toMatchObject({ exitCode: 0, stderr: '' });
  expect(help.stdout).toContain('--concurrency <n|auto>');
  expect(helpDocument.json()).toEqual({ command: 'help', ok: true, help: help.stdout });
  expect(first).toEqual({ ...help, json: expect.any(Function) });
  expect(version).toMatchObject({ exitCode: 0, stderr: '' });
  expect(short.stdout).toBe(version.stdout);
  expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(versionDocument.json()).toEqual({ command: 'version', ok: true, version: version.stdout.trim() });
});

test("the program's help names every command and every exit code", async () => {
  const { folder } = await createProject();

  const { stdout } = await tenantctl(['--help'], { cwd: folder });

  for (const command of ['init', 'doctor', 'make', 'migrate', 'rollback', 'tenant', 'status']) {
    expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
  }
  for (const code of ['0 ', '1 ', '2 ', '3 ', '4 ', '5 ', '6 ', '130/143 ']) expect(stdout).toContain(code);
});

test('help fits 80 columns, and names the options of a command once', async () => {
  const { folder } = await createProject();
  const [tenant, show] = await Promise.all([
    tenantctl(['tenant', '--help'], { cwd: folder }),
    tenantctl(['drift', 'show', '--help'], { cwd: folder }),
  ]);
  expect(tenant.stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
  expect(show.stdout.match(/^ {2}--check /gm)).toHaveLength(1);
  expect(show.stdout).not.toContain('--tenant');
  expect(show.stdout).not.toContain('--env-file');
});
