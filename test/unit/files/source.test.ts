import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findMigration } from '../../../src/core/files/find-migration.ts';
import {
  checksumOf,
  readMigrationFolder,
  stemOf,
  type MigrationFile,
} from '../../../src/core/files/source.ts';
import { createProject } from '../../support/project.ts';

async function folderWith(...names: string[]) {
  const project = await createProject(Object.fromEntries(names.map((name) => [`m/${name}`, ''])));
  return join(project.folder, 'm');
}

test('migrations come in the order of their names, whatever their format', async () => {
  const directory = await folderWith(
    '3_c.sql',
    '1_a.ts',
    '2_b.cjs',
    '10_d.mjs',
    '4_e.mts',
    '5_f.cts',
    '6_g.js',
  );
  const { files } = await readMigrationFolder(directory);
  expect(files.map((file) => file.name)).toEqual([
    '10_d.mjs',
    '1_a.ts',
    '2_b.cjs',
    '3_c.sql',
    '4_e.mts',
    '5_f.cts',
    '6_g.js',
  ]);
  expect(files.map((file) => file.format)).toContain('sql');
});

test('declarations, source maps, folders, hidden files and other files are no migrations', async () => {
  const directory = await folderWith(
    '1_a.ts',
    '1_a.d.ts',
    '2_b.d.mts',
    '2_b.js.map',
    '.3_c.ts',
    'README.md',
    '.gitkeep',
    '4_folder.ts/index.ts',
  );
  const { files } = await readMigrationFolder(directory);
  expect(files.map((file) => file.name)).toEqual(['1_a.ts']);
});

test('two files whose names differ by the extension only are refused, both named', async () => {
  const directory = await folderWith('1_a.js', '1_a.ts');
  await expect(readMigrationFolder(directory)).rejects.toMatchObject({
    code: 'MIGRATION_DUPLICATE',
    message: expect.stringMatching(/1_a\.js and 1_a\.ts/),
  });
});

test('a .sql file that a module reads is no migration', async () => {
  const project = await createProject({
    'm/1_a.js': '',
    'm/1_a.sql': 'SELECT 1;',
    'm/1_a.up.sql': 'SELECT 1;',
    'm/1_a_more.sql': '-- migrate:up\n',
    'm/2_b.ts': "read('shared.sql')",
    'm/shared.sql': 'SELECT 1;',
    'm/sql/3_c.sql': 'SELECT 1;',
    // A migration without its marker is not left out in silence: it is refused when it is loaded.
    'm/4_d.sql': 'SELECT 1;',
  });
  const { files } = await readMigrationFolder(join(project.folder, 'm'));
  expect(files.map(({ name }) => name)).toEqual(['1_a.js', '1_a_more.sql', '2_b.ts', '4_d.sql']);
});

test('accents that are composed or not make no other migration', async () => {
  expect(stemOf('1_cafe\u0301.sql')).toBe(stemOf('1_caf\u00E9.ts'));
  await expect(
    folderWith('1_cafe\u0301.js', '1_caf\u00E9.ts').then(readMigrationFolder),
  ).rejects.toMatchObject({ code: 'MIGRATION_DUPLICATE' });
});

test('a folder that is not there is an error that says how to make it; an empty one is none', async () => {
  await expect(readMigrationFolder('/nowhere/at/all')).rejects.toMatchObject({
    code: 'MIGRATIONS_FOLDER_MISSING',
    message: expect.stringContaining('/nowhere/at/all'),
    hint: expect.stringContaining('tenantctl init'),
  });
  const project = await createProject();
  await expect(readMigrationFolder(project.tenants)).resolves.toMatchObject({ files: [] });
});

test('--to finds a migration by its name with, without, or with another extension', async () => {
  const folder = await readMigrationFolder(await folderWith('1_a.ts', '2_b.sql'));
  for (const name of ['2_b', '2_b.sql', '2_b.js']) expect(findMigration(folder, name).name).toBe('2_b.sql');
});

test('a --to that fits no file is refused, and what is near is offered', async () => {
  const folder = await readMigrationFolder(await folderWith('20250101_add_users.ts', '2_b.sql'));
  expect(() => findMigration(folder, 'add_users')).toThrow(
    expect.objectContaining({ code: 'MIGRATION_UNKNOWN', hint: 'Did you mean 20250101_add_users.ts?' }),
  );
  for (const misspelt of ['add_usres', '20250101_add_user', 'add_user.ts'])
    expect(() => findMigration(folder, misspelt)).toThrow(
      expect.objectContaining({ hint: 'Did you mean 20250101_add_users.ts?' }),
    );
  expect(() => findMigration(folder, 'zzz')).toThrow(
    expect.objectContaining({ hint: expect.stringContaining('Give the name of a file') }),
  );
});

test('only a migration extension is cut off a name', () => {
  expect(stemOf('1_v1.2_users.ts')).toBe('1_v1.2_users');
  expect(stemOf('1_users')).toBe('1_users');
});

test('a checksum does not change with the line ends, and does with the text', async () => {
  const project = await createProject({ 'm/a.sql': 'a\nb\n', 'm/b.sql': 'a\r\nb\r\n', 'm/c.sql': 'a\nc\n' });
  const sums = ['a.sql', 'b.sql', 'c.sql'].map((name) =>
    checksumOf({ path: join(project.folder, 'm', name) } as MigrationFile),
  );
  expect(sums[0]).toBe(sums[1]);
  expect(sums[0]).not.toBe(sums[2]);
});
