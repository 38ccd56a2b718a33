import { expect, test } from 'vitest';
import { CANNOT_IN_BLOCK, DEEDS, quoted, raw } from '../../support/guard-deeds.ts';
import { NEIGHBOURS, TENANTS, useGuardedFleet } from '../../support/guarded-fleet.ts';

const { fleet, migrate, migration, expectNothingElseChanged } = useGuardedFleet();

const dynamic = (text: string) => `DO $do$ BEGIN EXECUTE '${quoted(text)}'; END $do$`;
const inFunction = (text: string, more = '') =>
  `CREATE FUNCTION own_deed() RETURNS void LANGUAGE plpgsql ${more} AS $f$ BEGIN EXECUTE '${quoted(text)}'; END $f$; SELECT own_deed()`;

/** A text that names the neighbour itself, and not in a body, is not even sent. */
const namesNeighbour = (text: string) =>
  text.includes(NEIGHBOURS) && !/^DO |^CREATE FUNCTION|set_config/.test(text);

/** Each deed, plainly. */
const PLAINLY = DEEDS.map(
  ([sentence, text, says]) =>
    [sentence, 'plainly', text, namesNeighbour(text) ? `names ${NEIGHBOURS}: outside ` : says] as const,
);

/** From where a text does not tell what it does. */
const HIDDEN: readonly [way: string, statement: (text: string) => string][] = [
  ['by SQL that is put together', dynamic],
  ['by a function of its own', (text) => inFunction(text)],
  ['by a function that acts as its owner', (text) => inFunction(text, 'SECURITY DEFINER')],
];

/** Each deed by one of these ways: one after the other, so that each has its share. */
const HIDDEN_AWAY = DEEDS.filter(([, text]) => !CANNOT_IN_BLOCK.test(text)).flatMap(
  ([sentence, text, says], nth) => {
    const hidden = HIDDEN[nth % HIDDEN.length];
    return hidden === undefined ? [] : [[sentence, hidden[0], hidden[1](text), says] as const];
  },
);

const CASES = [...PLAINLY, ...HIDDEN_AWAY];

test.each(CASES)(
  'a migration that %s, %s, is refused and leaves nothing behind',
  async (_, _way, text, says) => {
    const result = await migrate(raw('ALTER TABLE users ADD mail text', text));
    expect(result.tenants).toHaveLength(TENANTS.length);
    for (const { outcome, error, names } of result.tenants) {
      expect(error?.message ?? outcome).toContain(`${migration()} ${says}`);
      expect(error).toMatchObject({ code: 'MIGRATION_OUTSIDE_SCHEMA', migration: migration() });
      expect(names).toEqual([]);
    }
    await expectNothingElseChanged();
  },
);

test('a migration that names a neighbour in a savepoint that it goes back from is refused', async () => {
  const result = await migrate(
    `await knex.transaction((inner) => inner.raw('SELECT * FROM ${NEIGHBOURS}.secrets').then(() => { throw new Error('back'); })).catch(() => {});`,
  );
  for (const { error } of result.tenants) {
    expect(error?.message).toContain(`${migration()} names ${NEIGHBOURS}: outside `);
    expect(error).toMatchObject({ code: 'MIGRATION_OUTSIDE_SCHEMA', migration: migration() });
  }
});

test('what a cursor would do at the end of the transaction is not done', async () => {
  const deed = `CREATE FUNCTION deed() RETURNS int LANGUAGE plpgsql AS 'BEGIN CREATE TABLE public.late (); RETURN 1; END'`;
  const result = await migrate(raw(deed, 'DECLARE c CURSOR WITH HOLD FOR SELECT deed()'));
  expect(result.totals).toMatchObject({ changed: TENANTS.length, failed: 0 });
  await expectNothingElseChanged();
});

test.each([true, false])(
  'a trigger that defers itself again writes nothing at the COMMIT, as strings: %s',
  async (compile) => {
    const again = `CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
      IF NEW.id > 5 THEN RETURN NULL; END IF;
      IF NEW.id = 4 THEN CREATE TABLE public.late (); END IF;
      SET CONSTRAINTS ALL DEFERRED; EXECUTE format('UPDATE %s SET id = id + 1', TG_RELID::regclass); RETURN NULL; END $f$`;
    const trigger =
      'CREATE CONSTRAINT TRIGGER again AFTER INSERT OR UPDATE ON users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION again()';
    const result = await migrate(raw(again, trigger, 'INSERT INTO users VALUES (1)'), {}, { compile });
    for (const { error } of result.tenants) expect(error?.message).toMatch(/read-only transaction/);
    await expectNothingElseChanged();
  },
);

test('a rollback is kept within the schema, too', async () => {
  await migrate(raw('CREATE TABLE mine ()'), { down: raw('DROP TABLE mine', 'DROP TABLE plans') });
  const result = await fleet().rollback({ tenants: TENANTS });
  for (const { error } of result.tenants)
    expect(error?.message).toContain(`${migration()} dropped the table public.plans: outside `);
  expect(await fleet().tables('org_a')).toEqual(['items', 'mine', 'users']);
  await expectNothingElseChanged();
});

test('what several deeds were is told, and how to do it rightly', async () => {
  const result = await migrate(raw('CREATE TABLE public.mine ()', 'DROP FUNCTION public.one()'));
  expect(result.tenants[0]?.error).toMatchObject({
    message: expect.stringMatching(
      / (?:created the table public\.mine|dropped the function public\.one\(\)): outside /,
    ),
    details: [
      expect.stringMatching(
        /^It also (?:created the table public\.mine|dropped the function public\.one\(\))\.$/,
      ),
    ],
    hint: expect.stringContaining('export const config = { allowOutside: ['),
  });
});
