import { readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { makeMigration, makeSeed } from '../../../src/core/files/make.ts';
import { initProject } from '../../../src/core/files/scaffold.ts';
import { loadMigration } from '../../../src/core/files/load.ts';
import { compareNames, readSeedFolder } from '../../../src/core/files/source.ts';
import { createProject } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

const now = new Date('2026-05-04T03:02:01Z');

async function makeBeside(name: string) {
  const { tenants } = await createProject({ [`migrations/tenants/${name}`]: '' });
  const made = await makeMigration({ folder: tenants, name: 'next', format: 'sql', now });
  return basename(made.path);
}

test.each([
  ['20260101000000_a.sql', '20260504030201_next.sql'],
  ['20270101000000_a.sql', '20270101000001_next.sql'],
  ['20261231235959_a.sql', '20270101000000_next.sql'],
  ['2026-01-01_a.sql', '20260504030201_next.sql'],
  ['2_b.js', '3_next.sql'],
  ['0012-b.js', '20260504030201_next.sql'],
  ['V009__b.ts', 'V010_next.sql'],
  ['2027010100000201_b.js', '2027010100000202_next.sql'],
  ['20270101T000000_b.js', '20270102_next.sql'],
])('make beside %s writes %s, which sorts after it', async (present, expected) => {
  const made = await makeBeside(present);
  expect(made).toBe(expected);
  expect(compareNames(made, present)).toBe(1);
});

test.each(['9_b.js', 'zzz.js', '99999999999999_b.sql'])(
  'make beside %s refuses, and says why',
  async (present) => {
    const refusal = await refusalOf(makeBeside(present));
    expect(refusal).toMatchObject({
      code: 'MIGRATION_NAME_INVALID',
      message: expect.stringContaining(`sorts after ${present}`),
      hint: expect.stringContaining('leading zeros'),
    });
  },
);

test.each(['20200101000000_a.js', '0001_a.js', '00000000000000_a.js'])(
  "init beside %s gives the registry's migration a name that sorts first",
  async (present) => {
    const { folder, master, tenants } = await createProject();
    await writeFile(join(master, present), '');
    await initProject({ folder, masterFolder: master, tenantFolder: tenants });
    expect((await readdir(master)).toSorted(compareNames)).toEqual([
      expect.stringMatching(/^0+_init_db\.js$/),
      present,
    ]);
  },
);

test('a new seed has the format of the newest one, and is refused until it is filled in', async () => {
  const { folder } = await createProject({
    'package.json': '{"type":"module"}',
    'seeds/tenants/01_a.sql': 'SELECT 1',
  });
  const seeds = join(folder, 'seeds/tenants');
  const made = await makeSeed({ folder: seeds, name: 'roles', now });
  expect(made).toEqual({ path: join(seeds, '20260504030201_roles.sql'), format: 'sql' });
  const { files } = await readSeedFolder(seeds);
  expect(await refusalOf(Promise.all(files.map(loadMigration)))).toMatchObject({
    code: 'SEED_INVALID',
    message: '20260504030201_roles.sql is empty. Nothing was changed.',
  });
});
