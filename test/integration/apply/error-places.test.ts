import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestFleet } from '../../support/fleet.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { USUAL_FILES } from '../../support/project.ts';
import { standingFleet, type StandingFleet } from '../../support/standing-fleet.ts';

let standing: StandingFleet;
let fleet: TestFleet;

beforeAll(async () => {
  standing = await standingFleet(['org_a'], USUAL_FILES);
  ({ fleet } = standing);
  await fleet.project.write(
    'lib/money.ts',
    `export interface Money {
  amount: number
}
export async function addMoney(knex: any, table: string): Promise<void> {
  await knex.raw('SELECT 1');
  table.nothing.at.all();
}
export const sendMoney = (knex: any) => knex.raw('SELECT money');
`,
  );
});

afterAll(() => standing.close());

const ts = (lines: string) => `import type { Knex } from 'knex';
import { addMoney, sendMoney } from '../../lib/money.ts';
interface Unused {
  name: string
}
export async function up(knex: Knex): Promise<void> {
  await knex.raw('SELECT 1');
${lines}
}
export const used = [addMoney, sendMoney];
`;

test.each<[string, string, string]>([
  ['an error thrown', 'NAME.ts:8:9', ts("  throw new Error('no');")],
  [
    'an error after a wait',
    'NAME.ts:9:17',
    ts('  await new Promise((done) => setTimeout(done, 5));\n  (knex as any).nothing();'),
  ],
  ['an error in an import', '../../lib/money.ts:6:17', ts("  await addMoney(knex, 't');")],
  ['raw SQL', 'NAME.ts:8:14', ts("  await knex.raw('SELECT nothing');")],
  ['raw SQL in an import', '../../lib/money.ts:8:46', ts('  await sendMoney(knex);')],
  [
    'a table',
    'NAME.ts:8:14',
    ts("  await knex.schema.createTable('notes', (table) => {\n    table.increments();\n  });"),
  ],
  ['a query', 'NAME.ts:8:9', ts("  await knex('notes').insert({ none: 1 });")],
  ['a query returned', 'NAME.ts:8:10', ts("  return knex('notes').update({ none: 1 }) as any;")],
  [
    'a savepoint',
    'NAME.ts:9:11',
    ts("  await knex.transaction(async (inner) => {\n    await inner('notes').where({ none: 1 });\n  });"),
  ],
  [
    'a table builder',
    'NAME.ts:8:60',
    ts("  await knex.schema.createTable('t', (table: any) => table.nothing());"),
  ],
  ['what the guard refuses', 'NAME.ts:8:14', ts("  await knex.raw('COMMIT');")],
  ['a swallowed failure', 'NAME.ts:8:14', ts("  await knex.raw('SELECT nothing').catch(() => {});")],
  ['through jiti', 'NAME.ts:9', ts("  enum Kind { One }\n  await knex.raw('SELECT nothing');")],
  ['in .js', 'NAME.js:2:9', "export async function up(knex) {\n  await knex('nowhere');\n}\n"],
  ['in .cjs', 'NAME.cjs:2:10', "exports.up = (knex) => {\n  return knex('nowhere');\n};\n"],
  [
    'outside a transaction',
    'NAME.mjs:3:9',
    "export const config = { transaction: false };\nexport async function up(knex) {\n  await knex('nowhere');\n}\n",
  ],
])('the error of a migration names its place: %s, %s', async (what, place, text) => {
  // Node loads a file once for each name.
  const stem = `3_${what.replaceAll(' ', '_')}`;
  const name = `${stem}${/NAME(\.\w+)/.exec(place)?.[1] ?? '.ts'}`;
  await fleet.add(name, text);
  try {
    const { tenants } = await fleet.migrate();
    const at = place.replace('NAME', stem);
    expect(tenants).toMatchObject([{ outcome: 'failed', error: { migration: name, at } }]);
  } finally {
    await fleet.project.remove(`migrations/tenants/${name}`);
  }
});

const COLUMN = 'ALTER TABLE notes ADD COLUMN title text;';

test.each<[string, string, string, string[]?]>([
  ['exists already', '5', 'CREATE TABLE notes ()'],
  ['runtime', '5', 'SELECT 1 / 0'],
  ['with a position', '5:8', 'SELECT nothing', ['line 5: SELECT nothing', '               ^']],
  ['over lines', '6:3', 'SELECT\n  äöü', ['line 6:   äöü', '          ^']],
  [
    'in a block',
    '5',
    "DO $$\nBEGIN\n  RAISE 'no'; END $$",
    ['CONTEXT: PL/pgSQL function inline_code_block line 3 at RAISE'],
  ],
])('an error of a .sql file names the line of its statement: %s', async (what, place, statement, details) => {
  for (const options of ['', ' transaction:false']) {
    const name = `3_${what.replaceAll(' ', '_')}.sql`;
    await fleet.add(
      name,
      `-- a title\n-- migrate:up${options}\n\n${COLUMN} /* 'then;' */ -- ü\n${statement}; SELECT 'more';\n`,
    );
    try {
      const { tenants } = await fleet.migrate();
      expect(tenants).toMatchObject([
        { error: { migration: name, at: `${name}:${place}`, statement, ...(details && { details }) } },
      ]);
    } finally {
      await fleet.project.remove(`migrations/tenants/${name}`);
      await fleet.query(`ALTER TABLE ${schemaNameFor('org_a')}.notes DROP COLUMN IF EXISTS title`);
    }
  }
});

test('the first statement of a .sql file, one that cannot be parsed, and one that undoes are found, too', async () => {
  const failing = async (name: string, text: string) => {
    await fleet.add(name, text);
    try {
      return (await fleet.migrate()).tenants[0]?.error;
    } finally {
      await fleet.project.remove(`migrations/tenants/${name}`);
    }
  };
  expect(await failing('3_one.sql', '-- migrate:up\n-- one table\nCREATE TABLE notes ();')).toMatchObject({
    at: '3_one.sql:3',
    statement: 'CREATE TABLE notes ()',
  });
  expect(await failing('3_bad.sql', `-- migrate:up\r\n${COLUMN}\r\nCREATE TABEL x ();\r\n`)).toMatchObject({
    at: '3_bad.sql:3:8',
    details: [expect.stringMatching(/^line 3: CREATE TABEL x/), expect.stringMatching(/^ {15}\^$/)],
  });

  const split = await failing(
    '3_split.sql',
    `-- migrate:up transaction:false\n${COLUMN}\nCREATE TABEL x ();\n`,
  );
  expect(split).toMatchObject({ code: 'MIGRATION_INVALID', at: '3_split.sql:3' });
  await expect(failing('3_twice.sql', '-- migrate:up\n-- migrate:up\n')).rejects.toMatchObject({
    at: '3_twice.sql:2',
  });

  await fleet.add(
    '3_back.sql',
    `-- migrate:up\nSELECT 1;\n-- migrate:down\n\n${COLUMN}\nDROP TABLE nowhere;`,
  );
  await fleet.migrate();
  const { tenants } = await fleet.rollback();
  expect(tenants).toMatchObject([{ error: { at: '3_back.sql:6', statement: 'DROP TABLE nowhere' } }]);
});
