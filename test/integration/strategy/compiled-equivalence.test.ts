import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { knexMigration, usualProject } from '../../support/project.ts';
import type { Way } from '../../support/ways.ts';
import { createTwins, type TwinResults, type Twins } from '../../support/twins.ts';

const KNEX_PROJECT = join(import.meta.dirname, '../../fixtures/knex-project/migrations');

const FIRST_TWO_SHOW = (count: number) =>
  Array.from({ length: count }, (_, nth) => (nth < 2 ? 'interactively' : 'in one string'));

const isSent = (way: Way | undefined) => way === 'in one string' || way === 'in parts';

/** The same done to both, which must come to the same, outcome by outcome and batch by batch. */
async function expectSameRun(twins: Twins, run: ReturnType<Twins['migrate']>): Promise<TwinResults> {
  const results = await run;
  const { compiled, interactive } = results;
  const outcomes = (result: typeof compiled) =>
    result.tenants
      .toSorted((one, other) => (one.clerkOrgId < other.clerkOrgId ? -1 : 1))
      .map(({ outcome, names, batch, error }) => ({ outcome, names, batch, error: error?.message }));
  expect(outcomes(compiled)).toEqual(outcomes(interactive));
  expect(compiled.totals).toEqual(interactive.totals);
  await twins.expectSame();
  return results;
}

test(
  "a Knex project's migrations, each in a run of its own, there and back, make the same of every tenant",
  { timeout: 120_000 },
  async () => {
    const project = await usualProject({ 'package.json': '{}' });
    const twins = await createTwins(7, undefined, { project });
    const inStrings = { up: [] as string[], down: [] as string[] };
    const names = await readdir(KNEX_PROJECT);
    for (const name of names) {
      await twins.fleet.add(name.replace('2024', '2026'), await readFile(join(KNEX_PROJECT, name), 'utf8'));
      await expectSameRun(twins, twins.migrate());
      if ((await twins.ways()).some(isSent)) inStrings.up.push(name.slice(15, -3));
    }
    for (const name of names.toReversed()) {
      await expectSameRun(twins, twins.rollback());
      if ((await twins.ways()).some(isSent)) inStrings.down.push(name.slice(15, -3));
    }
    for (const organization of [...twins.compiled, ...twins.interactive]) {
      // look_before found notes there, and its down drops it all the same.
      expect(await twins.fleet.tables(organization)).toEqual(['tags']);
    }
    // Up, upsert inserts and then reads: an answer that differs would cost its tenant ids.
    expect(inStrings).toEqual({
      up: [
        'accounts',
        'uuid_extension',
        'touch_trigger',
        'alter_columns',
        'views',
        'bindings_and_question_marks',
        'partial_index',
        'rename_table',
      ],
      down: [
        'rename_table',
        'upsert',
        'partial_index',
        'bindings_and_question_marks',
        'nested_transactions',
        'views',
        'alter_columns',
        'look_before',
        'touch_trigger',
        'seed',
        'uuid_extension',
        'accounts',
      ],
    });
  },
);

test("a Knex project's migrations in one run, there and back", async () => {
  const project = await usualProject({ 'package.json': '{}' });
  const twins = await createTwins(7, undefined, { project });
  for (const name of await readdir(KNEX_PROJECT)) {
    await twins.fleet.add(name.replace('2024', '2026'), await readFile(join(KNEX_PROJECT, name), 'utf8'));
  }
  const there = await expectSameRun(twins, twins.migrate());
  const back = await expectSameRun(twins, twins.rollback());
  expect([there, back].map(({ compiled }) => compiled.totals.changed)).toEqual([7, 7]);
});

/** Migrations of both kinds that say the same to every tenant, some of which leave their session as another. */
const VARIED: Readonly<Record<string, string>> = {
  '3_people.js': knexMigration(
    `await knex.schema.createTable('people', (t) => { t.increments(); t.string('name').notNullable().index(); t.timestamps(true, true); });
     await knex.raw("INSERT INTO people (name) VALUES ('one'), ('two')");
     await knex.raw('SET search_path TO public');`,
    `await knex.schema.dropTable('people');`,
  ),
  '4_more.sql': `-- migrate:up
ALTER TABLE people ADD note int REFERENCES notes;
INSERT INTO notes VALUES (-7);
UPDATE people SET note = -7 WHERE name = 'two'; -- and that is it
-- migrate:down
ALTER TABLE people DROP note;
DELETE FROM notes WHERE id = -7; -- and that was it`,
  '5_function.sql': `-- migrate:up
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at = now(); RETURN NEW; END; $$;
CREATE TRIGGER touch BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION touch();
SET ROLE pg_monitor;
SELECT set_config('search_path', 'pg_catalog', false)
-- migrate:down
DROP TRIGGER touch ON people;
DROP FUNCTION touch()`,
  '6_nothing.sql': '-- migrate:up\n;\n-- migrate:down\n',
  '7_view.js': knexMigration(
    `await knex.schema.createView('names', (view) => { view.as(knex('people').select('name')); }); await knex.schema.table('tags', (t) => { t.text('label').defaultTo('?'); });`,
    `await knex.schema.dropView('names').table('tags', (t) => { t.dropColumn('label'); });`,
  ),
};

function varied(nth: number): string | undefined {
  if (nth === 3) return 'INSERT INTO notes VALUES (1), (2); INSERT INTO tags VALUES (9)';
  if (nth === 4) return 'CREATE TABLE more (id int)';
  return undefined;
}

async function addVaried(twins: Twins): Promise<void> {
  for (const [name, text] of Object.entries(VARIED)) await twins.fleet.add(name, text);
}

test('several migrations in one run, there and back, and there again', async () => {
  const twins = await createTwins(6, varied);
  await addVaried(twins);
  await expectSameRun(twins, twins.migrate());
  expect(await twins.ways()).toEqual(FIRST_TWO_SHOW(6));
  await expectSameRun(twins, twins.rollback());
  expect(await twins.ways()).toEqual(FIRST_TWO_SHOW(6));
  expect(await twins.fleet.history(twins.compiled[5] ?? '')).toHaveLength(2);
  await expectSameRun(twins, twins.migrate({ to: '5_function' }));
  await expectSameRun(twins, twins.migrate());
  expect((await twins.fleet.history(twins.compiled[5] ?? '')).slice(2)).toEqual([
    '3_people.js@2',
    '4_more.sql@2',
    '5_function.sql@2',
    '6_nothing.sql@3',
    '7_view.js@3',
  ]);
  await expectSameRun(twins, twins.rollback());
  await expectSameRun(twins, twins.rollback({ extent: { to: '3_people' } }));
  await expectSameRun(twins, twins.rollback({ extent: { all: true } }));
  // What is left to undo is SQL, which one tenant shows.
  expect(await twins.ways()).toEqual(['interactively', ...FIRST_TWO_SHOW(6).slice(2), 'in one string']);
  expect(await twins.fleet.tables(twins.compiled[5] ?? '')).toEqual([]);
  await expectSameRun(twins, twins.migrate({ concurrency: 1 }));
  expect(await twins.ways()).toEqual(FIRST_TWO_SHOW(6));
});

test('tenants whose histories have different batches get each its own number, and give it back', async () => {
  const twins = await createTwins(8, (nth) => `UPDATE knex_migrations_tenant SET batch = ${(nth % 3) + 1}`);
  await addVaried(twins);
  await expectSameRun(twins, twins.migrate());
  expect((await twins.fleet.history(twins.compiled[4] ?? '')).at(-1)).toBe('7_view.js@3');
  expect((await twins.fleet.history(twins.compiled[5] ?? '')).at(-1)).toBe('7_view.js@4');
  expect(await twins.ways()).toEqual(FIRST_TWO_SHOW(8));
  await expectSameRun(twins, twins.rollback());
  expect(await twins.ways()).toEqual(FIRST_TWO_SHOW(8));
});

test('tenants that are behind by more or by less are each sent what they lack', async () => {
  const twins = await createTwins(9);
  await addVaried(twins);
  const some = (nths: readonly number[]) =>
    nths.flatMap((nth) => [twins.compiled[nth] ?? '', twins.interactive[nth] ?? '']);
  await twins.fleet.migrate({ tenants: some([0, 3, 6]), to: '4_more', compile: false });
  await twins.fleet.migrate({ tenants: some([1, 4, 7]), to: '5_function', compile: false });
  await expectSameRun(twins, twins.migrate());
  const ways = await twins.ways();
  expect(ways.filter((way) => way === 'in one string')).toHaveLength(3);
});

test('tenants that have no history table yet get one, with the stamp', async () => {
  const twins = await createTwins(
    5,
    () => 'DROP TABLE notes, tags, knex_migrations_tenant, knex_migrations_tenant_lock',
  );
  await addVaried(twins);
  await expectSameRun(twins, twins.migrate());
  for (const organization of twins.compiled) {
    expect(await twins.fleet.history(organization)).toHaveLength(7);
    expect((await twins.fleet.history(organization)).at(-1)).toBe('7_view.js@1');
  }
});

test('tenants of which one table of the history is missing, or whose stamp is gone, end as they would alone', async () => {
  const twins = await createTwins(6, (nth) => {
    if (nth === 3) return 'DROP TABLE knex_migrations_tenant_lock';
    if (nth === 4) return 'DELETE FROM tenantctl.stamps WHERE schema_name = current_schema()';
    if (nth === 5) return 'ALTER TABLE knex_migrations_tenant DISABLE TRIGGER tenantctl_unstamp';
    return undefined;
  });
  await addVaried(twins);
  const there = await expectSameRun(twins, twins.migrate());
  const back = await expectSameRun(twins, twins.rollback());
  expect([there, back].map(({ compiled }) => compiled.totals.changed)).toEqual([6, 6]);
});

test('what was sent to a tenant, Knex finds in its history as if it had done it', async () => {
  const twins = await createTwins(4);
  await addVaried(twins);
  await twins.migrate();
  const [last] = twins.compiled.slice(-1);
  const rows = await twins.fleet.query<{ id: number; name: string; batch: number; recent: boolean }>(
    `SELECT id, name, batch, migration_time > now() - interval '1 minute' AS recent
     FROM ${schemaNameFor(last ?? '')}.knex_migrations_tenant ORDER BY id`,
  );
  expect(rows.slice(2)).toEqual(
    Object.keys(VARIED).map((name, at) => ({ id: at + 3, name, batch: 2, recent: true })),
  );
});
