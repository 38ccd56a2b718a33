import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadMigration } from '../../../src/core/files/load.ts';
import { findMigration } from '../../../src/core/files/find-migration.ts';
import { readSeedFolder } from '../../../src/core/files/source.ts';
import { createProject } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

/** Writes files into seeds/tenants and loads all of them. */
async function load(files: Readonly<Record<string, string>>) {
  const project = await createProject(
    Object.fromEntries(Object.entries(files).map(([name, text]) => [`seeds/tenants/${name}`, text])),
  );
  const folder = await readSeedFolder(join(project.folder, 'seeds/tenants'));
  return Promise.all(folder.files.map(loadMigration));
}

test("a seed in each of Knex's forms loads, and one in SQL, in the order of their names", async () => {
  const seeds = await load({
    '2.mjs': 'export const seed = async (knex) => {};\nexport const config = { allowOutside: ["public.a"] };',
    '1.cjs': 'exports.seed = async function (knex) { await knex("t").del(); };',
    '3.ts':
      "import { Knex } from 'knex';\nexport async function seed(knex: Knex): Promise<void> { await knex('t').del(); }",
    '4.ts': 'export default { async seed() {} };',
    '5.sql': "INSERT INTO t VALUES ('-- migrate:up');\n",
    // Read by 2.mjs: it is none.
    '2.rows.sql': 'SELECT 1',
  });
  expect(seeds.map(({ file }) => file.name)).toEqual(['1.cjs', '2.mjs', '3.ts', '4.ts', '5.sql']);
  expect(seeds.map(({ up }) => typeof up)).toEqual([...Array<string>(4).fill('function'), 'string']);
  expect(seeds.map(({ allowOutside }) => allowOutside)).toEqual([[], ['public.a'], [], [], []]);
  expect(seeds.every(({ upInTransaction, down }) => upInTransaction && down === undefined)).toBe(true);
});

test.each<[string, string, string, RegExp]>([
  [
    '1.mjs',
    'export async function seeds() {}',
    'exports no function "seed".',
    /A seed exports a function seed/,
  ],
  ['1.mjs', 'export async function up() {}', 'exports "up", and no function "seed".', /It is a migration/],
  [
    '1.sql',
    '-- migrate:up\nSELECT 1;',
    'has a line "-- migrate:up" or "-- migrate:down".',
    /It is a migration/,
  ],
  ['1.mjs', 'export const seed = 1;', 'exports no function "seed".', /A seed exports a function seed/],
  [
    '1.mjs',
    'export async function seed(knex) { await knex("t").del(); }\nexport const config = { transaction: false };',
    "asks to run outside a transaction; a tenant's seeds run in one.",
    /is a migration/,
  ],
  ['1.mjs', 'export async function seed(knex) {\n}\n', 'is empty. Nothing was changed.', /Fill it in/],
  ['1.sql', '-- TODO\n', 'is empty. Nothing was changed.', /Fill it in/],
  ['1.mjs', 'throw new Error("no data");', 'cannot be loaded: no data', /Correct 1.mjs/],
])('%s is refused: %s', async (name, text, problem, hint) => {
  expect(await refusalOf(load({ [name]: text }))).toMatchObject({
    code: 'SEED_INVALID',
    message: `${name} ${problem}`,
    migration: name,
    hint: expect.stringMatching(hint),
  });
});

test('a folder that is not there, and a name that no seed has, say what to do', async () => {
  const project = await createProject({ 'seeds/tenants/01_plans.sql': 'SELECT 1' });
  await expect(readSeedFolder(join(project.folder, 'seeds'))).resolves.toMatchObject({ files: [] });
  await expect(readSeedFolder(join(project.folder, 'nowhere'))).rejects.toMatchObject({
    code: 'SEEDS_FOLDER_MISSING',
    hint: expect.stringContaining('tenantctl make seed <name>'),
  });
  const folder = await readSeedFolder(join(project.folder, 'seeds/tenants'));
  expect(() => findMigration(folder, 'plnas')).toThrow(
    expect.objectContaining({ code: 'SEED_UNKNOWN', hint: 'Did you mean 01_plans.sql?' }),
  );
});
