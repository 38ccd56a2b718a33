import { expect, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet, resultOf } from '../../support/fleet.ts';
import { knexMigration } from '../../support/project.ts';

const SCHEMA = schemaNameFor('org_a');

/** A fleet of one tenant whose next migration has this body, run statement by statement. */
async function run(up: string) {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_test.js', knexMigration(up));
  const { error } = resultOf(await fleet.migrate({ compile: false }), 'org_a');
  return { fleet, error };
}

test('the statements of a schema builder are sent together, and those of a text that may end one are not', async () => {
  const { fleet, error } = await run(`
    const { connection: { stream } } = await knex.client.acquireConnection();
    let sent = new Set();
    knex.on('query-response', () => sent.add(stream.bytesWritten));
    const create = async (name, comment) => {
      sent = new Set();
      await knex.schema.createTable(name, (table) => { table.integer('x').index().comment(comment); table.integer('y').index(); });
      return sent.size;
    };
    const told = [await create('a', 'usual'), await create('b', 'the end'), await create('c', 'usual')];
    await knex.raw("COMMENT ON TABLE a IS '" + told + "'");`);
  expect(error).toBeUndefined();
  expect(await fleet.query(`SELECT obj_description('${SCHEMA}.a'::regclass) AS told`)).toEqual([
    { told: '1,4,1' },
  ]);
});

test('builders that run at the same time are sent in the order of plain Knex', async () => {
  const { fleet, error } = await run(`
    const later = async (text) => { for (let turn = 0; turn < 100; turn += 1) await null; await knex.raw(text); };
    await Promise.all([
      knex.schema.createTable('a', (table) => { table.integer('b_id').references('b.id'); }),
      knex.schema.createTable('b', (table) => { table.integer('id').primary(); table.integer('c_id').references('c.id'); }),
      knex.raw('CREATE TABLE c (id int PRIMARY KEY)'),
    ]);
    await Promise.all([
      knex.schema.createTable('d', (table) => { table.integer('e_id').references('e.id'); }),
      later('CREATE TABLE e (id int PRIMARY KEY)'),
    ]);`);
  expect(error).toBeUndefined();
  expect(await fleet.tables('org_a')).toEqual(['a', 'b', 'c', 'd', 'e', 'notes', 'tags']);
});

test('after a failed statement of a builder, those behind it did not happen, and a savepoint saves the rest', async () => {
  const twice = `createTable('a', (table) => { table.integer('x').index('same'); table.integer('y').index('same'); table.integer('z').index('other'); })`;
  const failed = await run(`await knex.schema.${twice};`);
  expect(failed.error).toMatchObject({
    code: 'MIGRATION_FAILED',
    sqlstate: '42P07',
    statement: 'create index "same" on "a" ("y")',
  });

  const { fleet, error } = await run(`
    await knex.transaction((inner) => inner.schema.${twice}).catch(() => {});
    await knex.schema.createTable('b', (table) => { table.integer('x').index('same'); table.integer('y').index('other'); });`);
  expect(error).toBeUndefined();
  expect(await fleet.tables('org_a')).toEqual(['b', 'notes', 'tags']);
});

test('a statement behind others in its builder is checked before any of those after it is sent', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const other = schemaNameFor('org_b');
  await fleet.add(
    '3_test.js',
    knexMigration(`
      await knex.schema.createTable('a', (table) => { table.integer('x'); })
        .raw('DELETE FROM ${other}.notes').createTable('b', (table) => { table.integer('x'); });`),
  );
  const { error } = resultOf(await fleet.migrate({ compile: false, tenants: ['org_a'] }), 'org_a');
  expect(error).toMatchObject({
    code: 'MIGRATION_OUTSIDE_SCHEMA',
    statement: `DELETE FROM ${other}.notes`,
  });
});

test('the first statement of a migration does not wait for the record of the one before, whose failure is told', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_0.js', knexMigration(`await knex('notes').insert({ id: 1 });`));
  await fleet.add(
    '3_1.js',
    knexMigration(`
      const { connection: { stream } } = await knex.client.acquireConnection();
      const before = stream.bytesWritten;
      const written = new Promise((told) => stream.once('data', () => told(stream.bytesWritten)));
      await knex('notes').insert({ id: 2 });
      if ((await written) === before) throw new Error('It waited.');`),
  );
  const history = `${SCHEMA}.knex_migrations_tenant`;
  await fleet.query(`CREATE FUNCTION ${SCHEMA}.refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF NEW.name = '3_0.js' THEN RAISE 'no such record'; END IF; RETURN NEW; END $$`);
  await fleet.query(
    `CREATE TRIGGER refuse BEFORE INSERT ON ${history} FOR EACH ROW EXECUTE FUNCTION ${SCHEMA}.refuse()`,
  );
  const refused = resultOf(await fleet.migrate({ compile: false }), 'org_a');
  expect(refused.error).toMatchObject({
    message: expect.stringContaining('no such record'),
    migration: '3_0.js',
  });

  await fleet.query(`DROP TRIGGER refuse ON ${history}`);
  expect(resultOf(await fleet.migrate({ compile: false }), 'org_a')).toMatchObject({
    names: ['3_0.js', '3_1.js'],
  });
});
