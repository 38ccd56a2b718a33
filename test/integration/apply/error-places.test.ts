import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestFleet } from '../../support/fleet.ts';
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
