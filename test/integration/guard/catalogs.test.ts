import { expect, test } from 'vitest';
import { CATALOGS } from '../../../src/core/guard/catalogs.ts';
import { createDatabase } from '../../support/database.ts';

test('each catalog that the guard counts the writes of has the oid that the server knows it by', async () => {
  const { query } = await createDatabase();
  const rows = await query<{ name: string; oid: number }>(
    `SELECT c.name, to_regclass('pg_catalog.' || c.name)::oid::int AS oid FROM unnest(ARRAY[${CATALOGS.map(({ name }) => `'${name}'`).join(', ')}]) AS c (name)`,
  );
  // An earlier version lacks some.
  const known = rows.filter(({ oid }) => oid !== null);
  expect(known).toEqual(
    CATALOGS.filter(({ name }) => known.some((row) => row.name === name)).map(({ name, self }) => ({
      name,
      oid: self,
    })),
  );
});
