import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startChild } from '../support/child.ts';
import { createProject } from '../support/project.ts';

const BENCH = fileURLToPath(new URL('../../bench/main.ts', import.meta.url));

/** Measures the folder `migrations/tenants` of a project with these files. */
async function measure(files: Readonly<Record<string, string>>, ...flags: readonly string[]) {
  const { folder, tenants } = await createProject(files);
  const sizes = ['--tenants', '3', '--existing', '2', '--rounds', '1'];
  const args = [BENCH, '--folder', tenants, ...sizes, ...flags];
  // pnpm tells its scripts where it was called; these tests may themselves be one.
  const env = { INIT_CWD: folder };
  return { folder, ...(await startChild(process.execPath, args, { cwd: folder, env }).done) };
}

const TYPESCRIPT = `import { Knex } from 'knex';
enum Kind { Small = 'small' }
export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('items', (table) => {
    table.increments('id');
    table.string('name').notNullable();
    table.timestamp('made_at').defaultTo(knex.fn.now());
  });
  if (!(await knex.schema.hasTable('items'))) throw new Error('no items');
  await knex('items').insert([{ name: "it's ? $1" }, { name: Kind.Small }]);
}
export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable('items');
}
`;

const RANDOM = `exports.up = async (knex) => {
  await knex.schema.createTable('tokens', (table) => table.uuid('token'));
  await knex('tokens').insert({ token: require('node:crypto').randomUUID() });
};
exports.down = (knex) => knex.schema.dropTable('tokens');`;

/** Plain Knex is not told where the migrations are. */
const DIFFERENT = `const isTenantctl = process.env.TENANT_MIGRATIONS_DIR !== undefined;
exports.up = async (knex) => {
  await knex.schema.createTable('kinds', (table) => (isTenantctl ? table.text('name') : table.string('name')));
  await knex('kinds').insert({ name: isTenantctl ? 'one' : 'other' });
};
exports.down = (knex) => knex.schema.dropTable('kinds');`;

test('pnpm bench --folder measures a project beside Knex and psql, and says what they leave different', async () => {
  const { exitCode, stdout, stderr } = await measure(
    {
      'migrations/tenants/1_items.ts': TYPESCRIPT,
      'migrations/tenants/2_tokens.js': RANDOM,
      'migrations/tenants/3_index.sql': `-- migrate:up transaction:false
CREATE INDEX CONCURRENTLY items_name ON items (name);
-- migrate:down
DROP INDEX items_name;`,
      'migrations/tenants/4_kinds.js': DIFFERENT,
      'migrations/tenants/5_view.sql': '-- migrate:up\nCREATE VIEW names AS SELECT name FROM items;',
      'setup.sql': 'CREATE EXTENSION pgcrypto;',
    },
    '--setup',
    'setup.sql',
  );
  const measured = stdout.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  const programs = (work: string) =>
    measured.filter((cells) => cells[1] === work).map((cells) => `${cells[4]}, ${cells[3]} at once`);
  expect(programs('whole folder').toSorted()).toEqual([
    'Knex, 1 at once',
    'Knex, 4 at once',
    'psql, 1 at once',
    'psql, 4 at once',
    'tenantctl --no-compile, 1 at once',
    'tenantctl, 1 at once',
    'tenantctl, 4 at once',
  ]);
  expect(programs('last migration')).toHaveLength(3);
  expect(programs('new tenant')).toHaveLength(2);
  expect(programs('next tenant')).toHaveLength(3);
  // Random tokens and times differ between two runs of Knex as well.
  const differences = stderr
    .split('\n')
    .filter((line) => line.startsWith('✖ whole folder, tenantctl, 1 at once: '))
    .map((line) => line.replace(/.*tid_\w+: /, ''));
  expect(new Set(differences)).toEqual(
    new Set([
      'column kinds.name: Knex 1 character varying(255), tenantctl 1 text',
      'a row of kinds: Knex [["name","\\"other\\""]], tenantctl [["name","\\"one\\""]]',
    ]),
  );
  expect(exitCode).toBe(1);
}, 180_000);

test('pnpm bench --folder says what makes a folder unusable', async () => {
  const failing = await measure({
    'migrations/tenants/1_broken.js': 'exports.up = exports.down = (knex) => knex.raw("SELECT 1 / 0");',
  });
  expect(failing.stderr).toContain(
    '✖ A migration fails with plain Knex too: Knex: 1_broken.js: error: SELECT 1 / 0 - division by zero',
  );
  const empty = await measure({ 'migrations/tenants/README.md': '' });
  expect(empty.stderr).toMatch(/^✖ .*migrations\/tenants holds no migration/m);
  const missing = await measure({ 'migrations/tenants/1.sql': 'SELECT 1' }, '--master', 'nowhere');
  expect(missing.stderr).toContain(`✖ --master: ${join(missing.folder, 'nowhere')} does not exist.`);
  expect([failing, empty, missing].map(({ exitCode }) => exitCode)).toEqual([2, 2, 2]);
});
