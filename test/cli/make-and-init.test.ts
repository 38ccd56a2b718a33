import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { tenantctl, type CliResult } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import { createProject, createTable } from '../support/project.ts';

const pathIn = (result: CliResult) => result.json<{ path: string }>().path;

describe('make', () => {
  test('writes TypeScript into an empty folder, later the format of the newest file or that of --format', async () => {
    const { folder } = await createProject();
    const make = async (...args: string[]) =>
      pathIn(await tenantctl(['make', 'tenant', ...args, '--json'], { cwd: folder }));

    const paths = [
      await make('first'),
      await make('second', '--format', 'js'),
      await make('third'),
      await make('fourth', '--format', 'sql'),
      await make('fifth'),
      await make('sixth', '--format', 'ts'),
    ];

    expect(paths.map((path) => path.replace(/\d{14}/, ''))).toEqual([
      'migrations/tenants/_first.ts',
      'migrations/tenants/_second.js',
      'migrations/tenants/_third.js',
      'migrations/tenants/_fourth.sql',
      'migrations/tenants/_fifth.sql',
      'migrations/tenants/_sixth.ts',
    ]);
    // Made within one second, and yet in order.
    expect(paths).toEqual(paths.toSorted());
    expect(new Set(paths.map((path) => path.slice(0, 34))).size).toBe(6);
  });

  test('sorts after the newest file, even if its date is in the future, and shows the next step', async () => {
    const { folder } = await createProject({
      'migrations/master/20991231235959_party.cjs': 'exports.up = async () => {};',
    });

    const { exitCode, stdout, stderr } = await tenantctl(['make', 'master', 'hangover'], { cwd: folder });

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toBe(
      '✔ migrations/master/21000101000000_hangover.cjs\n  Fill in up and down, then: tenantctl migrate master --dry-run\n',
    );
    expect(await readFile(join(folder, 'migrations/master/21000101000000_hangover.cjs'), 'utf8')).toMatch(
      /exports\.up = [\s\S]*exports\.down = /,
    );
  });

  test('a file in the way of a folder is an error without a stack, for init too; a broken package.json is none', async () => {
    const project = await createProject();
    await project.remove('migrations');
    await project.write('migrations', '');
    const { folder } = project;
    for (const args of [['make', 'tenant', 'notes'], ['init']]) {
      const { exitCode, stderr } = await tenantctl(args, { cwd: folder });
      expect(exitCode).toBe(1);
      expect(stderr).toContain(join(folder, 'migrations'));
      expect(stderr).toContain('→ Something else is at that path');
      expect(stderr).not.toContain('    at ');
    }
    const other = await createProject({ 'package.json': '{' });
    const args = ['make', 'tenant', 'notes', '--format', 'js', '--json'];
    expect(pathIn(await tenantctl(args, { cwd: other.folder }))).toMatch(/_notes\.js$/);
  });

  test('writes a .sql file with a note that Knex cannot run it', async () => {
    const { folder } = await createProject();

    const { exitCode, stderr } = await tenantctl(['make', 'tenant', 'notes', '--format', 'sql'], {
      cwd: folder,
    });

    expect(exitCode).toBe(0);
    expect(stderr).toBe(
      '! Knex itself cannot run a .sql migration: once it is applied, only tenantctl can continue this history.\n',
    );
  });

  test.for([
    ['a/b c', 'a_b_c'],
    ['../../etc/passwd', 'etc_passwd'],
    ['añadir índice', 'anadir_indice'],
    ['', undefined],
  ] as const)('refuses the name "%s", and helps where it can', async ([name, suggestion]) => {
    const { folder, tenants } = await createProject();

    const { exitCode, stderr } = await tenantctl(['make', 'tenant', name], { cwd: folder });

    expect(exitCode).toBe(2);
    expect(stderr).toContain(`✖ "${name}" cannot be the name of a migration.`);
    expect(stderr).toContain(
      suggestion === undefined
        ? '→ Use letters, digits, _ and - only.'
        : `→ Use letters, digits, _ and - only: ${suggestion}, for instance.`,
    );
    expect(await readdir(tenants)).toEqual([]);
  });
});

describe('init', () => {
  test('creates a project in which migrate master works, and changes nothing the second time', async () => {
    const project = await createProject();
    const { folder } = project;
    await project.remove('migrations');
    const { env } = await createDatabase();

    const first = await tenantctl(['init'], { cwd: folder });
    await project.write('.env.example', 'MINE=1\n');
    const second = await tenantctl(['init', '--json'], { cwd: folder });
    const migrated = await tenantctl(['migrate', 'master'], { cwd: folder, env });
    const provisioned = await tenantctl(['tenant', 'provision', 'default_tenant'], { cwd: folder, env });

    expect(first).toMatchObject({ exitCode: 0, stderr: '' });
    for (const path of ['migrations/master/20251103123228_init_db.ts', '.env.example', 'ssl/README.md']) {
      expect(first.stdout).toContain(`✔ ${path}\n`);
    }
    expect(second.json()).toMatchObject({
      created: [],
      kept: ['migrations/master/20251103123228_init_db.ts', '.env.example', 'ssl/README.md'],
    });
    expect(await readFile(join(folder, '.env.example'), 'utf8')).toBe('MINE=1\n');
    expect([migrated.exitCode, provisioned.exitCode]).toEqual([0, 0]);
  });

  test("works in ORIGIN.md's layout and writes its format", async () => {
    const project = await createProject({
      'src/master/migrations/20251103123300_focus_area_table.js': 'exports.up = async () => {};',
      'src/tenants/migrations/20251103123400_tenant_init_db.js': 'exports.up = async () => {};',
    });
    await project.remove('migrations');
    const { folder } = project;

    const { exitCode, stdout } = await tenantctl(['init'], { cwd: folder });

    expect(exitCode).toBe(0);
    expect(stdout).toContain('✔ src/master/migrations/20251103123228_init_db.js\n');
    const text = await readFile(join(folder, 'src/master/migrations/20251103123228_init_db.js'), 'utf8');
    expect(text).toContain('exports.up = async function up(knex) {');
    expect(text).not.toMatch(/import|Knex\b/);
  });

  test("repairs a master folder without the registry's migration", async () => {
    const { folder } = await createProject({
      'migrations/master/20250101000000_focus.sql': createTable('focus'),
    });
    const testDatabase = await createDatabase();
    const { env } = testDatabase;

    const refused = await tenantctl(['migrate', 'master'], { cwd: folder, env });

    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain('20250101000000_focus.sql does not create the registry public.tenants');
    expect(refused.stderr).toContain('→ Run tenantctl init');
    expect(await testDatabase.query(`SELECT to_regclass('public.focus') AS focus`)).toEqual([
      { focus: null },
    ]);
  });
});
