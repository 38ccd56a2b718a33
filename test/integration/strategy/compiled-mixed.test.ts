import { expect, test } from 'vitest';
import { fiveTenants } from '../../support/five-tenants.ts';
import { knexMigration } from '../../support/project.ts';

test('what reads, what varies and what does neither stand in one plan, each in its way', async () => {
  const twins = await fiveTenants();
  await twins.fleet.add(
    '3_first.js',
    knexMigration(`await knex.schema.createTable('first', (t) => t.increments());`),
  );
  await twins.fleet.add(
    '4_reads.js',
    knexMigration(`
    if (await knex.schema.hasTable('extra')) await knex('first').insert({ id: 10 });
    await knex.raw("SELECT setval('first_id_seq', 100 + (SELECT count(*) FROM tags))");`),
  );
  await twins.fleet.add(
    '5_varies.js',
    knexMigration(`
    const before = Date.now(); await knex('first').insert({ id: before > 0 ? 20 : 30 });
    await knex.raw("SET LOCAL standard_conforming_strings = off");`),
  );
  await twins.fleet.add(
    '6_last.sql',
    `-- migrate:up\nINSERT INTO first VALUES (40); COMMENT ON TABLE first IS 'a\\b';`,
  );
  const { compiled, notes } = await twins.migrate();
  expect(compiled.totals).toMatchObject({ changed: 5, failed: 0 });
  await twins.expectSame();
  expect(await twins.ways()).toEqual([
    'interactively',
    'interactively',
    'in parts',
    'interactively',
    'in parts',
  ]);
  expect(notes).toEqual(['5_varies.js is run for every tenant separately: it uses Date.now in line 3.']);
});
