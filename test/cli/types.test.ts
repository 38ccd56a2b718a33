import { execFile } from 'node:child_process';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';
import { linkPackages } from '../support/linked-packages.ts';
import { createTable, usualProject } from '../support/project.ts';

const ROOT = join(import.meta.dirname, '../..');
const APPLICATION = join(ROOT, 'test/fixtures/typed-application');

/** What each column is at run time, by what it is. */
const KINDS = Object.fromEntries(
  Object.entries({
    string: 'id big price state states ranks email',
    number: 'number by_default doubled amount ratio ranked',
    object: 'flag round pair warm period vector',
    Date: 'day at',
    PostgresInterval: 'span',
    Object: 'place data',
    Buffer: 'bytes',
    'number[]': 'settings prices',
    'undefined[]': 'tags',
    'string[]': 'bigs',
    'Date[]': 'days',
  }).flatMap(([kind, columns]) => columns.split(' ').map((column) => [column, kind])),
);

/** Strict, and with the checks that make tsc complain about what is not used. */
const TSCONFIG = {
  extends: join(ROOT, 'tsconfig.json'),
  compilerOptions: { paths: { 'tenantctl/kysely': [join(ROOT, 'src/app/kysely.ts')] } },
  include: [],
  exclude: [],
  files: ['application.ts', join(ROOT, 'src/db/pg-utils.d.ts')],
};

test('an application compiles with the types, and gets from pg what they say, in a tenant and from shared tables', async () => {
  const project = await usualProject();
  await project.remove('migrations/tenants');
  await cp(APPLICATION, project.folder, { recursive: true });
  const options = { cwd: project.folder };
  const written = await tenantctl(['types', '--out', 'src/database.ts', '--json'], options);
  expect(written).toMatchObject({ exitCode: 0 });
  expect(written.json()).toMatchObject({ command: 'types', ok: true, out: 'src/database.ts', changed: true });
  // A comment on a table cannot end the comment in the file.
  expect(await readFile(join(project.folder, 'src/database.ts'), 'utf8')).not.toMatch(/\*\/ *export/);
  await linkPackages(project.folder);
  await project.write('tsconfig.json', JSON.stringify(TSCONFIG));
  const run = promisify(execFile);
  const compiled = run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', '.'], options);
  expect(await compiled.catch(({ stdout }: { stdout: string }) => ({ stdout }))).toMatchObject({
    stdout: '',
  });

  const fleet = await createFleet(['org_a'], { project });
  await fleet.migrate({ repeatableFolder: join(project.folder, 'repeatable/tenants') });
  const { stdout } = await run(process.execPath, ['application.ts'], {
    ...options,
    env: { ...process.env, DATABASE_URL: fleet.testDatabase.url },
  });
  expect(JSON.parse(stdout)).toEqual({
    kinds: KINDS,
    notes: [{ body: 'own', id: 7 }],
    total: null,
  });

  // A tenant of a server has the same types.
  const checked = await tenantctl(['types', '--out', 'src/database.ts', '--check', '--tenant', 'org_a'], {
    ...options,
    env: fleet.testDatabase.env,
  });
  expect(checked).toMatchObject({ exitCode: 0, stderr: '' });
});

describe('the file of --out', () => {
  test('is written only if it differs, and --check says so to CI, in every language', async () => {
    const fleet = await createFleet(['org_a']);
    await fleet.add(
      '20250101000003_more.sql',
      '-- migrate:up\nCREATE TABLE channels (id int);\nCREATE TABLE dogs (id int);\n',
    );
    await fleet.migrate();
    const { folder } = fleet.project;
    const path = join(folder, 'types.ts');
    // A tenant of a server is faster than PostgreSQL in memory; what becomes of the file is the same.
    const types = (args: readonly string[], env = {}) =>
      tenantctl(['types', '--tenant', 'org_a', '--out', 'types.ts', ...args], {
        cwd: folder,
        env: { ...fleet.testDatabase.env, ...env },
      });
    expect(await types(['--check'])).toMatchObject({
      exitCode: 6,
      stderr: expect.stringContaining('types.ts does not exist'),
    });
    expect(await types([])).toMatchObject({ exitCode: 0 });
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replaceAll('\n', '\r\n'));
    // Czech sorts "ch" after "h".
    expect(await types(['--check'], { LC_ALL: 'cs_CZ.UTF-8' })).toMatchObject({ exitCode: 0, stderr: '' });

    await writeFile(path, text);
    await fleet.add('20250101000004_links.sql', createTable('links'));
    await fleet.migrate();
    expect(await types(['--check'])).toMatchObject({
      exitCode: 6,
      stderr: expect.stringContaining('tenantctl types --out types.ts'),
    });
    expect(await readFile(path, 'utf8')).toBe(text);
    const before = await readdir(folder);
    expect(await types([])).toMatchObject({ exitCode: 0 });
    expect(await readFile(path, 'utf8')).toContain('links: Links;');
    expect(await readdir(folder)).toEqual(before);
  });

  test('is not replaced without a question if tenantctl has not written it', async () => {
    const project = await usualProject({ 'index.ts': 'export {};\n' });
    const refused = await tenantctl(['types', '--out', 'index.ts'], { cwd: project.folder });
    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--yes') });
    expect(await readFile(join(project.folder, 'index.ts'), 'utf8')).toBe('export {};\n');
    const folder = await tenantctl(['types', '--out', 'migrations', '--json'], { cwd: project.folder });
    expect(folder.json()).toMatchObject({ error: { code: 'FILE_UNUSABLE' } });
  });
});

test('a migration that needs more than the embedded PostgreSQL has fails with the other way', async () => {
  const project = await usualProject({
    'migrations/tenants/20250101000003_postgis.sql': '-- migrate:up\nCREATE EXTENSION postgis;\n',
  });
  const failed = await tenantctl(['types', '--json'], { cwd: project.folder });
  expect(failed.exitCode).toBe(1);
  expect(failed.json()).toMatchObject({
    error: { migration: '20250101000003_postgis.sql', hint: expect.stringContaining('types --tenant <org>') },
  });
  const fleet = await createFleet(['org_a']);
  await fleet.add('20250101000003_links.sql', createTable('links'));
  const behind = await tenantctl(['types', '--tenant', 'org_a', '--json'], {
    cwd: fleet.project.folder,
    env: fleet.testDatabase.env,
  });
  expect(behind.json()).toMatchObject({ error: { code: 'TENANT_BEHIND', tenant: 'org_a' } });
});
