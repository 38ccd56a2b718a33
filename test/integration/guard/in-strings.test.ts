import { expect, test } from 'vitest';
import type { FleetResult } from '../../../src/core/report/results.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { resultOf } from '../../support/fleet.ts';
import { CANNOT_IN_BLOCK, DEEDS, quoted, raw } from '../../support/guard-deeds.ts';
import { NEIGHBOURS, useGuardedFleet } from '../../support/guarded-fleet.ts';

/** The third tenant is the odd one: what the first two showed to be harmless is not with it. */
const ODD = 'org_c';

/** All others have tables and a type of their own where this one has none, and where public has one of that name. */
const OWN = `CREATE TABLE plans (id int PRIMARY KEY, name text, mail text); CREATE TABLE countries (code text PRIMARY KEY, name text);
  CREATE TYPE mood AS ENUM ('own'); CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'`;
/** This one has a trigger that does more than the others'. */
const OWN_TRIGGER = `CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`;
const ODD_TRIGGER = `CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM * FROM ${NEIGHBOURS}.secrets; RETURN NULL; END'`;

const { migrate, migration, ways, expectNothingElseChanged } = useGuardedFleet((organization) =>
  [
    organization === ODD ? ODD_TRIGGER : `${OWN_TRIGGER}; ${OWN}`,
    'CREATE TRIGGER watch AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION watch()',
  ].join(';\n'),
);

/** What a migration has made of the odd one, and of all others, of whom the last is sent a string. */
async function outcomeOf(result: FleetResult): Promise<object> {
  const { changed, failed } = result.totals;
  return { odd: resultOf(result, ODD).error?.message, changed, failed, last: (await ways()).get('org_d') };
}

/** The odd one is refused, and all others have what was due. */
const refused = (says: string) => ({
  odd: expect.stringContaining(`${migration()} ${says}`),
  changed: 3,
  failed: 1,
  last: 'in one string',
});

test.each(DEEDS.filter(([, text]) => !CANNOT_IN_BLOCK.test(text)))(
  'a string that, for one tenant alone, %s, is rolled back, and the others are done',
  async (_, text, says) => {
    const deed = `IF current_schema() = '${schemaNameFor(ODD)}' THEN EXECUTE '${quoted(text)}'; END IF;`;
    const result = await migrate(raw('ALTER TABLE users ADD mail text', `DO $do$ BEGIN ${deed} END $do$`));
    expect(await outcomeOf(result)).toEqual(refused(says));
    await expectNothingElseChanged();
  },
);

test.each([
  ['ALTER TABLE plans ADD price int', 'changed the table public.plans'],
  ['ALTER TABLE plans RENAME name TO title', 'changed the table public.plans'],
  ['CREATE INDEX ON plans (name)', 'changed the table public.plans'],
  ['TRUNCATE plans', 'changed the table public.plans'],
  ['DROP TABLE plans', 'dropped the table public.plans'],
  ['DROP TABLE IF EXISTS plans CASCADE', 'dropped the table public.plans'],
  ['DROP TABLE plans; ALTER TABLE users ALTER id TYPE bigint', 'dropped the table public.plans'],
  [
    'COMMENT ON TABLE plans IS NULL',
    'locked the table public.plans against others (ShareUpdateExclusiveLock)',
  ],
  ['LOCK TABLE plans IN SHARE MODE', 'locked the table public.plans against others (ShareLock)'],
  [
    `DO $$ BEGIN IF to_regclass(current_schema() || '.plans') IS NULL THEN EXECUTE format('ALTER TABLE public.plans SET SCHEMA %I', current_schema()); END IF; END $$`,
    'changed the table public.plans',
  ],
  ['GRANT SELECT ON plans TO PUBLIC', 'changed the table public.plans'],
  [`ALTER TYPE mood ADD VALUE 'new'`, 'changed the type public.mood'],
  ['DROP TYPE mood', 'dropped the type public.mood'],
  ['DROP FUNCTION one()', 'dropped the function public.one()'],
  ['ALTER FUNCTION one() STRICT', 'changed the function public.one()'],
  [`INSERT INTO users VALUES (1, 'a')`, `read or wrote the table ${NEIGHBOURS}.secrets`],
])('%s, where one tenant lacks what the others have, is refused for that one', async (text, says) => {
  expect(await outcomeOf(await migrate(raw(text)))).toEqual(refused(says));
  await expectNothingElseChanged();
});

test('a name that one tenant lacks leads to the rows of the shared table: that is allowed', async () => {
  const result = await migrate(raw(`UPDATE countries SET name = name`));
  expect(result.totals).toMatchObject({ changed: 4, failed: 0 });
  expect((await ways()).get(ODD)).toBe('in one string');
});
