import { expect, onTestFinished, test } from 'vitest';
import type { FleetResult } from '../../../src/core/report/results.ts';
import { raw } from '../../support/guard-deeds.ts';
import { NEIGHBOURS, TENANTS, useGuardedFleet } from '../../support/guarded-fleet.ts';
import { knexMigration } from '../../support/project.ts';

const { fleet, migrate, migration, expectNothingElseChanged } = useGuardedFleet();

let number = 0;

/** Adds a migration after the one of `migrate`, removed when the test ends. @returns its name */
async function add(up: string, config = ''): Promise<string> {
  number += 1;
  // Node loads a file only once.
  const name = `3_then_${String(number).padStart(2, '0')}.js`;
  await fleet().add(name, knexMigration(up, '', config));
  onTestFinished(() => fleet().project.remove(`migrations/tenants/${name}`));
  return name;
}

const MAKES = raw('CREATE TABLE before_it (plan int REFERENCES plans)', 'DROP TABLE items');
const MAKES_ANOTHER = raw('CREATE TABLE after_it ()');
const GRANTS = raw('GRANT SELECT ON countries TO PUBLIC');
const ALLOWS = `export const config = { allowOutside: ['public.countries'] };`;

/** What the tenants were refused with; none of them has anything of the migrations. */
async function refusalsOf({ tenants }: FleetResult): Promise<string[]> {
  expect(tenants).toHaveLength(TENANTS.length);
  for (const { error, names } of tenants) {
    expect(error?.code).toBe('MIGRATION_OUTSIDE_SCHEMA');
    expect(error?.message.startsWith(`${error.migration} `)).toBe(true);
    expect(names).toEqual([]);
  }
  expect(await fleet().tables('org_a')).toEqual(['items', 'users']);
  await expectNothingElseChanged();
  return [...new Set(tenants.map(({ error }) => error?.message.split(': outside ')[0] ?? ''))];
}

test.each([
  ['a lock', GRANTS, 'changed the table public.countries'],
  [
    'a row of a catalog',
    raw(`CREATE FUNCTION public.two() RETURNS int LANGUAGE sql AS 'SELECT 2'`),
    'created the function public.two()',
  ],
  ['what is gone', raw('DROP FUNCTION public.one()'), 'dropped the function public.one()'],
  [
    'what it read',
    raw(`DO $$ BEGIN PERFORM * FROM ${NEIGHBOURS}.secrets; END $$`),
    `read or wrote the table ${NEIGHBOURS}.secrets`,
  ],
])('of several migrations the one is named that reached outside, by %s', async (_, deed, says) => {
  const culprit = await add(deed);
  await add(MAKES_ANOTHER);
  expect(await refusalsOf(await migrate(MAKES))).toEqual([`${culprit} ${says}`]);
});

test('of two that reached outside the first is named, with its own deeds only', async () => {
  const culprit = await add(GRANTS);
  await add(raw('DROP FUNCTION public.one()'));
  const result = await migrate(MAKES);
  expect(await refusalsOf(result)).toEqual([`${culprit} changed the table public.countries`]);
  for (const { error } of result.tenants) {
    expect(error?.details).toBeUndefined();
    expect(error?.hint).toContain(`export const config = { allowOutside: ['public.countries'] };`);
  }
});

test('what the first of two migrations may reach, the second may not', async () => {
  const culprit = await add(raw('GRANT INSERT ON countries TO PUBLIC'));
  const result = await migrate(GRANTS, { config: ALLOWS });
  expect(await refusalsOf(result)).toEqual([`${culprit} changed the table public.countries`]);
});

test('what the second of two migrations may reach, the first may not', async () => {
  await add(raw('GRANT INSERT ON plans TO PUBLIC'), ALLOWS);
  const result = await migrate(GRANTS);
  expect(await refusalsOf(result)).toEqual([`${migration()} changed the table public.countries`]);
});

test.each([
  ['does so once only', `if (first) { ${GRANTS} }`],
  ['fails the second time', `if (!first) throw new Error('not twice'); ${GRANTS}`],
])('where the one that reached outside %s, all are named', async (_, deed) => {
  const tenant = TENANTS[0] ?? '';
  const up = `const first = globalThis.hasRun !== true; globalThis.hasRun = true; ${deed}`;
  onTestFinished(() => void Reflect.deleteProperty(globalThis, 'hasRun'));
  const added = [await add(up), await add(MAKES_ANOTHER)];
  const { tenants } = await migrate(MAKES, {}, { tenants: [tenant] });
  const names = [migration(), ...added].join(', ');
  expect(tenants[0]?.error).toMatchObject({
    code: 'MIGRATION_OUTSIDE_SCHEMA',
    message: expect.stringContaining(`${names} (one of these) changed the table public.countries: outside `),
    hint: expect.stringContaining('differs from run to run'),
    migration: names,
  });
  expect(await fleet().tables(tenant)).toEqual(['items', 'users']);
  await expectNothingElseChanged();
});

test('what one migration may reach is no harm to those beside it', async () => {
  await add(GRANTS + raw('REVOKE SELECT ON countries FROM PUBLIC'), ALLOWS);
  await add(MAKES_ANOTHER);
  const result = await migrate(MAKES);
  expect(result.totals).toMatchObject({ changed: TENANTS.length, failed: 0 });
});
