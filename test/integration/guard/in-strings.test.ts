import { expect, test } from 'vitest';
import type { FleetResult } from '../../../src/core/report/results.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { resultOf } from '../../support/fleet.ts';
import { CANNOT_IN_BLOCK, DEEDS, quoted, raw } from '../../support/guard-deeds.ts';
import { NEIGHBOURS, TENANTS, useGuardedFleet } from '../../support/guarded-fleet.ts';

/** The third tenant is the odd one: what the first two showed to be harmless is not with it. */
const ODD = 'org_c';

/** All others have tables and a type of their own where this one has none, and where public has one of that name. */
const OWN = `CREATE TABLE plans (id int PRIMARY KEY, name text, mail text); CREATE TABLE countries (code text PRIMARY KEY, name text);
  CREATE TYPE mood AS ENUM ('own'); CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'`;
/** This one has a trigger that does more than the others'. */
const OWN_TRIGGER = `CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`;
const ODD_TRIGGER = `CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM * FROM ${NEIGHBOURS}.secrets; RETURN NULL; END'`;

/** A function that says to change nothing; the odd one's does, and takes no lock on a relation. */
const called = (organization: string) =>
  `CREATE FUNCTION plant() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN ${organization === ODD ? PLANTS : ''} RETURN 1; END $f$;
   CREATE FUNCTION called() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN ${schemaNameFor(organization)}.plant(); END'`;
const PLANTS = `CREATE OR REPLACE FUNCTION public.planted() RETURNS int LANGUAGE sql AS 'SELECT 1';`;

const { fleet, migrate, migration, ways, expectNothingElseChanged } = useGuardedFleet((organization) =>
  [
    'INSERT INTO users VALUES (7)',
    organization === ODD ? ODD_TRIGGER : `${OWN_TRIGGER}; ${OWN}`,
    called(organization),
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

const REFERS = 'ALTER TABLE users ADD plan int REFERENCES public.plans';
const PASSING = [
  'ALTER TABLE users ADD CONSTRAINT passing FOREIGN KEY (id) REFERENCES public.plans NOT VALID',
  'ALTER TABLE users DROP CONSTRAINT passing',
];

test.each([
  [[REFERS], `CREATE TRIGGER t AFTER INSERT ON public.plans FOR EACH ROW EXECUTE FUNCTION watch()`],
  [[REFERS], 'ALTER TABLE public.plans DISABLE TRIGGER ALL'],
  [PASSING, 'ALTER TABLE public.plans ADD price int'],
  [PASSING, 'ALTER TABLE public.plans DROP name'],
  [PASSING, 'TRUNCATE public.plans CASCADE'],
  [PASSING, 'ALTER TABLE public.plans ENABLE ROW LEVEL SECURITY'],
])('a string with a foreign key, after %j, does not hide %s for one tenant', async (keys, text) => {
  const deed = `DO $do$ BEGIN IF current_schema() = '${schemaNameFor(ODD)}' THEN ${text}; END IF; END $do$`;
  expect(await outcomeOf(await migrate(raw(...keys, deed)))).toEqual(
    refused('changed the table public.plans'),
  );
  await expectNothingElseChanged();
});

test.each([
  [
    'a domain’s default in a new column',
    'CREATE DOMAIN d AS int DEFAULT called()',
    'ALTER TABLE users ADD x d',
  ],
  ['a view', 'CREATE VIEW v AS SELECT called()', 'SELECT * FROM v'],
  ['a view in a new table', 'CREATE VIEW v AS SELECT called()', 'CREATE TABLE x AS SELECT * FROM v'],
  [
    'a materialized view',
    'CREATE MATERIALIZED VIEW v AS SELECT called() WITH NO DATA',
    'REFRESH MATERIALIZED VIEW v',
  ],
  [
    'a check that is validated',
    'ALTER TABLE users ADD CONSTRAINT c CHECK (called() > 0) NOT VALID',
    'ALTER TABLE users VALIDATE CONSTRAINT c',
  ],
  [
    'an index when the table is rewritten',
    'CREATE INDEX ON users ((called() + id))',
    'ALTER TABLE users ADD x timestamptz DEFAULT clock_timestamp()',
  ],
  ['an attribute that is none', 'CREATE TYPE pair AS (a int)', 'SELECT (ROW(1)::pair).called'],
])('a function that %s calls for one tenant is looked after', async (_, before, text) => {
  const attribute = `CREATE FUNCTION called(pair) RETURNS int LANGUAGE sql AS 'SELECT called()'`;
  const texts = text.includes('.called') ? [before, attribute, text] : [before, text];
  expect(await outcomeOf(await migrate(raw(...texts)))).toEqual(
    refused('created the function public.planted()'),
  );
  await expectNothingElseChanged();
});

/** Runs statements in the schema of each tenant. */
async function inEach(statements: (organization: string) => string): Promise<void> {
  const each = TENANTS.map(
    (organization) =>
      `SET search_path TO ${schemaNameFor(organization)}, public; ${statements(organization)}`,
  );
  await fleet().query(each.join(';\n'));
}

/** A type whose comparison, and whose cast to text, call a function. */
const PAIRS = `CREATE TYPE pair AS (a int);
  CREATE FUNCTION compared(pair, pair) RETURNS int IMMUTABLE LANGUAGE plpgsql SET search_path FROM CURRENT AS 'BEGIN PERFORM plant(); RETURN ($1).a - ($2).a; END';
  CREATE FUNCTION less(pair, pair) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT ($1).a < ($2).a';
  CREATE FUNCTION same(pair, pair) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT ($1).a = ($2).a';
  CREATE OPERATOR <# (leftarg = pair, rightarg = pair, function = less);
  CREATE OPERATOR =# (leftarg = pair, rightarg = pair, function = same);
  CREATE OPERATOR CLASS pairs DEFAULT FOR TYPE pair USING btree AS OPERATOR 1 <#, OPERATOR 3 =#, FUNCTION 1 compared(pair, pair);
  CREATE FUNCTION shown(pair) RETURNS int IMMUTABLE LANGUAGE plpgsql SET search_path FROM CURRENT AS 'BEGIN PERFORM plant(); RETURN 7; END';
  CREATE CAST (pair AS int) WITH FUNCTION shown(pair) AS IMPLICIT;
  CREATE TABLE held (p pair); INSERT INTO held VALUES (ROW(1)::pair), (ROW(2)::pair);`;

test.each([
  ['an index', 'CREATE INDEX ON held (p)'],
  ['a key', 'ALTER TABLE held ADD UNIQUE (p)'],
  ['a foreign key', 'ALTER TABLE held ADD FOREIGN KEY (p) REFERENCES users'],
])('what %s calls for one tenant by an operator class or a cast is looked after', async (_, text) => {
  await inEach(() => PAIRS);
  expect(await outcomeOf(await migrate(raw(text)))).toEqual(refused('created the function public.planted()'));
});

test('a statement on tables alone that replaces a routine of the guard for one tenant is refused', async () => {
  const replaces = `EXECUTE (SELECT replace(pg_get_functiondef(p.oid), 'IF outside IS NOT NULL', 'IF false') FROM pg_proc p WHERE p.proname = 'stay_within');`;
  await inEach(
    (organization) =>
      `CREATE FUNCTION number() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN ${organization === ODD ? replaces : ''} RETURN 1; END $f$;
       CREATE DOMAIN numbered AS int DEFAULT number() CHECK (VALUE > 0)`,
  );
  expect(await outcomeOf(await migrate(raw('ALTER TABLE users ADD x numbered')))).toEqual(
    refused('changed the procedure tenantctl.stay_within('),
  );
});

test('a column that a trigger grants for one tenant, when bound values are inserted, is found', async () => {
  const grants = `EXECUTE 'GRANT SELECT (name) ON public.plans TO PUBLIC';`;
  await inEach(
    (organization) =>
      `CREATE FUNCTION granting() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN ${organization === ODD ? grants : ''} RETURN NULL; END $f$;
       CREATE TABLE entered (id int); CREATE TRIGGER granting AFTER INSERT ON entered FOR EACH ROW EXECUTE FUNCTION granting()`,
  );
  const result = await migrate(`await knex('entered').insert({ id: 9 });`);
  expect(await outcomeOf(result)).toEqual(refused('changed the table public.plans'));
  await expectNothingElseChanged();
});

const REWRITES = 'ALTER TABLE users ALTER id TYPE bigint USING id + 1';
const UPDATES = 'UPDATE users SET id = id';
const MOVES = `EXECUTE format('ALTER TYPE public.mood SET SCHEMA %I', current_schema())`;

test.each([
  [REWRITES, 'GRANT SELECT ON public.countries TO PUBLIC', 'changed the table public.countries'],
  [UPDATES, 'ALTER TYPE public.mood RENAME TO temper', 'changed the type'],
  [REWRITES, 'GRANT USAGE ON TYPE public.mood TO PUBLIC', 'changed the type public.mood'],
  [REWRITES, `CREATE TYPE public.kind AS ENUM ('a')`, 'created the type public.kind'],
  [REWRITES, MOVES, 'changed the type'],
  [UPDATES, MOVES, 'changed the type'],
  [UPDATES, 'DROP TYPE public.mood', 'dropped the type public.mood'],
])(
  'a string with %s does not hide %s, in a block that has ended, for one tenant',
  async (text, deed, says) => {
    const block = `BEGIN ${deed}; EXCEPTION WHEN division_by_zero THEN NULL; END;`;
    const hidden = `DO $do$ BEGIN IF current_schema() = '${schemaNameFor(ODD)}' THEN ${block} END IF; END $do$`;
    expect(await outcomeOf(await migrate(raw(text, hidden)))).toEqual(refused(says));
    await expectNothingElseChanged();
  },
);

test('a name that one tenant lacks leads to the rows of the shared table: that is allowed', async () => {
  const result = await migrate(raw(`UPDATE countries SET name = name`));
  expect(result.totals).toMatchObject({ changed: 4, failed: 0 });
  expect((await ways()).get(ODD)).toBe('in one string');
});
