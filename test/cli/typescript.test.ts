import { readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tenantctl } from '../support/cli.ts';
import { createFleet } from '../support/fleet.ts';

const ROOT = join(import.meta.dirname, '../..');

const table = (name: string) => `await knex.raw('CREATE TABLE ${name} ()');`;
const TYPES = '(knex: Knex): Promise<void>';

/** Migrations as people write them for Knex, most of which Node's own type stripping does not take. */
const FILES: Readonly<Record<string, string>> = {
  '20250201000001_plain.ts': `import type { Knex } from 'knex';
    export async function up${TYPES} { ${table('plain')} }
    export async function down${TYPES} {}`,
  '20250201000002_type_as_value.ts': `import { Knex } from 'knex';
    export async function up${TYPES} { ${table('type_as_value')} }
    export async function down${TYPES} {}`,
  '20250201000003_enum.ts': `import { Knex } from 'knex';
    enum Names { Own = 'with_enum' }
    export async function up${TYPES} { await knex.raw(\`CREATE TABLE \${Names.Own} ()\`); }`,
  '20250201000004_import_without_extension.ts': `import { Knex } from 'knex';
    import { tableName } from '../../shared/names';
    export async function up${TYPES} { await knex.raw(\`CREATE TABLE \${tableName} ()\`); }`,
  '20250201000005_commonjs_style.ts': `import type { Knex } from 'knex';
    exports.up = async function ${TYPES} { ${table('commonjs_style')} };
    exports.down = async function ${TYPES} {};`,
  '20250201000006_export_default.ts': `import { Knex } from 'knex';
    export default { async up${TYPES} { ${table('export_default')} } };`,
  '20250201000007_common.cjs': `exports.up = async (knex) => { ${table('common')} };`,
  '20250201000008_common_typed.cts': `import type { Knex } from 'knex';
    exports.up = async (knex: Knex) => { ${table('common_typed')} };`,
  '20250201000009_module.mjs': `export const up = async (knex) => { ${table('module')} };`,
  '20250201000010_module_typed.mts': `import type { Knex } from 'knex';
    export const up = async (knex: Knex) => { ${table('module_typed')} };`,
  '20250201000011_script.js': `exports.up = async (knex) => { ${table('script')} };`,
  '20250201000012_text.sql': '-- migrate:up\nCREATE TABLE text ();\n',
};

test('usual TypeScript migrations for Knex load without warnings, in a package without a type', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.project.write('package.json', '{"name":"without-a-type"}');
  // Node begins to load the project's Knex for a type that is imported as a value, and gives up.
  await symlink(join(ROOT, 'node_modules'), join(fleet.project.folder, 'node_modules'));
  await fleet.project.write('shared/names.ts', `export const tableName: string = 'without_extension';`);
  for (const [name, text] of Object.entries(FILES)) await fleet.add(name, text);
  await fleet.add('20250201000013_types.d.ts', 'export {};');
  await fleet.add('20250201000012_text.sql.map', '{}');

  const { exitCode, stderr } = await tenantctl(['migrate', 'tenants'], {
    cwd: fleet.project.folder,
    env: fleet.testDatabase.env,
  });

  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(await fleet.tables('org_a')).toEqual([
    'common',
    'common_typed',
    'commonjs_style',
    'export_default',
    'module',
    'module_typed',
    'notes',
    'plain',
    'script',
    'tags',
    'text',
    'type_as_value',
    'with_enum',
    'without_extension',
  ]);
  expect((await fleet.history('org_a')).slice(2)).toEqual(Object.keys(FILES).map((name) => `${name}@2`));
  // Nothing is left beside the files: no cache, no compiled copy.
  expect((await readdir(fleet.project.tenants)).filter((name) => name.startsWith('20250201'))).toHaveLength(
    14,
  );
});
