import { expect, test } from 'vitest';
import { countVersions } from '../../../src/core/fleet/versions.ts';
import type { MigrationFolder } from '../../../src/core/files/source.ts';

const files = ['1_a.sql', '2_b.sql', '3_c.ts'].map((name) => ({ name, stem: name.split('.')[0] ?? '' }));
const folder = { files } as unknown as MigrationFolder;
const history = (...names: string[]) => names.map((name) => ({ name, batch: 1 }));

test('tenants are counted by their newest migration, the newest version first', () => {
  const common = history('1_a.sql', '2_b.sql');
  expect(
    countVersions(
      [
        { entries: common, count: 10 },
        { entries: history('1_a.sql', '2_b.sql', '3_c.js'), count: 3 },
        { entries: common, count: 2 },
        // The same migrations in other batches.
        { entries: history('1_a.sql', '2_b.sql'), count: 1 },
        { entries: [], count: 4 },
      ],
      folder,
    ),
  ).toEqual([
    { version: '3_c.js', tenants: 3, pending: 0 },
    { version: '2_b.sql', tenants: 13, pending: 1 },
    { version: null, tenants: 4, pending: 3 },
  ]);
});

test('a late file makes a version of its own, and a file applied late is not the newest', () => {
  expect(
    countVersions(
      [
        { entries: history('1_a.sql', '3_c.ts'), count: 1 },
        { entries: history('1_a.sql', '3_c.ts', '2_b.sql'), count: 1 },
      ],
      folder,
    ),
  ).toEqual([
    { version: '3_c.ts', tenants: 1, pending: 0 },
    { version: '3_c.ts', tenants: 1, pending: 1 },
  ]);
});

test('a history that 500,000 tenants share is compared once', () => {
  const entries = history(...Array.from({ length: 200 }, (_, nth) => `${1000 + nth}_x.sql`));
  const fleet = Array.from({ length: 500_000 }, () => ({ entries, count: 1 }));
  expect(countVersions(fleet, folder)).toEqual([{ version: '1199_x.sql', tenants: 500_000, pending: 3 }]);
});
