import { expect, test } from 'vitest';
import { sqlOfCode } from '../../../src/core/code/sql-of-code.ts';

test('literal SQL is found wherever it stands, with a name for each expression in it', async () => {
  const { texts } = await sqlOfCode(
    `const index = 'create index on a (b)';
     export async function up(knex: Knex): Promise<void> {
       await knex.raw(\`-- why
         CREATE TRIGGER \${name}_t BEFORE INSERT ON a EXECUTE FUNCTION f()\`);
       await knex.schema.raw(index);
       console.log('Created', "creates nothing");
     }`,
    true,
  );
  expect(texts).toEqual([
    'create index on a (b)',
    expect.stringMatching(/^-- why\s+CREATE TRIGGER x_t BEFORE INSERT/),
  ]);
});

test('what undoes a migration is not read, in whatever way it is exported', async () => {
  const ways = [
    `exports.down = (knex) => knex.raw('DROP TABLE a');`,
    `export async function down(knex) { await knex.raw('DROP TABLE a'); }`,
    `export const down = (knex) => knex.raw('DROP TABLE a');`,
    `module.exports = { up() {}, down: (knex) => knex.raw('DROP TABLE a') };`,
  ];
  for (const way of ways) expect((await sqlOfCode(way, false)).texts).toEqual([]);
});

test('columns are those of tables that exist, also in a chain of calls', async () => {
  const { columns } = await sqlOfCode(
    `exports.up = (knex) => knex.schema
       .createTable('a', (t) => { t.bigIncrements(); })
       .alterTable('b', (t) => { t.enu('kind', ['x']).notNullable(); })
       .createTable('c', (t) => { t.increments(); });`,
    false,
  );
  expect(columns).toContain('enu');
  expect(columns).not.toContain('bigIncrements');
  expect(columns).not.toContain('increments');
});
