import { describe, expect, test } from 'vitest';
import { raw } from '../../support/guard-deeds.ts';
import { INNOCENT_DEEDS } from '../../support/innocent-deeds.ts';
import { TENANTS, useGuardedFleet } from '../../support/guarded-fleet.ts';

const { migrate, ways } = useGuardedFleet();

const TO_ALL = ['interactively', 'interactively', 'in one string', 'in one string'];

describe.each([
  ['as strings', true, TO_ALL],
  ['statement by statement', false, TENANTS.map(() => 'interactively')],
] as const)('%s', (_, compile, expected) => {
  test.each(INNOCENT_DEEDS)('a migration that %s passes with every tenant', async (_sentence, texts) => {
    const result = await migrate(raw(...texts), {}, { compile, concurrency: 1 });
    expect(result.tenants.map(({ outcome, error }) => error?.message ?? outcome)).toEqual(
      TENANTS.map(() => 'migrated'),
    );
    const seen = await ways();
    expect(TENANTS.map((organization) => seen.get(organization))).toEqual(expected);
  });
});
