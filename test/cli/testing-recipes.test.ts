import { mkdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { readProject } from '../../src/testing/read-project.ts';
import { startChild } from '../support/child.ts';
import { createProject, createTable, USUAL_FILES } from '../support/project.ts';
import { createQueries } from '../support/queries.ts';

const ROOT = join(import.meta.dirname, '../..');

/** A folder of node_modules that has Jest: the project itself needs none. */
const { TEST_JEST_MODULES: jestModules = '' } = process.env;

/** The files of a section of docs/testing.md: their first line is a comment with the path. */
async function filesOf(section: string): Promise<Record<string, string>> {
  const text = await readFile(join(ROOT, 'docs/testing.md'), 'utf8');
  const [, part = ''] = new RegExp(`^## ${section}$([^]*?)(?=^## |(?![^]))`, 'm').exec(text) ?? [];
  const blocks = part.matchAll(/^```\w+\n(\/\/ (\S+)\n[^]*?)^```/gm);
  return Object.fromEntries([...blocks].map(([, code = '', path = '']) => [path, code]));
}

/** Runs the tests of a section in a project of its own. @returns what its test program printed */
async function runRecipe(section: string, program: string, args: readonly string[], more: string[] = []) {
  const { folder } = await createProject({
    ...USUAL_FILES,
    'package.json': section === 'Jest' ? '{}' : '{"type":"module"}',
    'migrations/tenants/20250101000001_notes.sql': createTable('notes', 'id serial, title text'),
    ...(await filesOf(section)),
  });
  const modules = join(folder, 'node_modules');
  await mkdir(modules);
  await symlink(ROOT, join(modules, 'tenantctl'));
  for (const name of ['pg', 'knex', ...more])
    await symlink(join(ROOT, 'node_modules', name), join(modules, name));
  const url = inject('serverUrl');
  const { prefix } = await readProject({ folder, variables: { DATABASE_URL: url } });
  onTestFinished(async () => {
    const queries = createQueries(url);
    const left = await queries.query<{ name: string }>(
      'SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)',
      [prefix],
    );
    for (const { name } of left) await queries.query(`DROP DATABASE ${name}`);
    await queries.close();
  });
  const env = { DATABASE_URL: url, NO_COLOR: '1', CI: '1' };
  const { exitCode, stdout, stderr } = await startChild(process.execPath, [program, ...args], {
    cwd: folder,
    env,
  }).done;
  return { exitCode, output: stdout + stderr };
}

test('the recipe for Vitest runs as it is written', async () => {
  const { exitCode, output } = await runRecipe(
    'Vitest',
    join(ROOT, 'node_modules/vitest/vitest.mjs'),
    ['run'],
    ['vitest'],
  );
  expect({ exitCode, output }).toMatchObject({ exitCode: 0, output: expect.stringContaining('3 passed') });
});

test('the recipe for Jest runs as it is written', async (context) => {
  context.skip(jestModules === '', 'TEST_JEST_MODULES names no folder of packages that has Jest');
  const { exitCode, output } = await runRecipe('Jest', join(jestModules, 'jest/bin/jest.js'), []);
  expect({ exitCode, output }).toMatchObject({ exitCode: 0, output: expect.stringContaining('2 passed') });
});
