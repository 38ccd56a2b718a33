import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { digestOf } from '../../../src/core/stamps/stamps.ts';
import { createFleet } from '../../support/fleet.ts';
import { historyOf } from '../../support/stamps.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';

interface Row {
  readonly id: number;
  readonly name: string | null;
  readonly batch: number | null;
}

/** What separates names and rows where a digest is made. */
const SEPARATORS = fc.constantFrom('\u001e', '\u001f', '1\u001f1\u001fa', 'a\u001e1\u001f1\u001fb');

/** Any Unicode but NUL, as long as Knex's column is at most: 255 characters. */
const name = fc
  .array(fc.oneof({ weight: 8, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) }, SEPARATORS), {
    maxLength: 8,
  })
  .map((parts) => Array.from(parts.join('').replaceAll('\0', '')).slice(0, 255).join(''));

const histories: fc.Arbitrary<Row[]> = fc.uniqueArray(
  fc.record({
    id: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    name: fc.option(name, { freq: 20 }),
    batch: fc.option(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { freq: 5 }),
  }),
  { selector: ({ id }) => id, maxLength: 6 },
);

/** As tenantctl reads it: Knex's rows without a name are none, and a batch that is missing is 0. */
function entriesOf(rows: readonly Row[]): { name: string; batch: number }[] {
  return rows
    .toSorted((a, b) => (a.batch ?? 0) - (b.batch ?? 0) || a.id - b.id)
    .flatMap((row) => (row.name === null ? [] : [{ name: row.name, batch: row.batch ?? 0 }]));
}

test('the server makes the same digest of a history as the program does, whatever its names and batches', async () => {
  const fleet = await createFleet(['org_a']);
  const samples = fc.sample(histories, 400);
  await fleet.query(`
    CREATE FUNCTION digests(samples jsonb) RETURNS TABLE (nth int, digest text, entries jsonb) LANGUAGE plpgsql AS $$
    DECLARE sample jsonb; seen record; BEGIN
      FOR nth IN 0 .. jsonb_array_length(samples) - 1 LOOP
        DELETE FROM ${historyOf('org_a')};
        INSERT INTO ${historyOf('org_a')} (id, name, batch)
        SELECT id, name, batch FROM jsonb_to_recordset(samples -> nth) AS row (id int, name text, batch int);
        seen := tenantctl.read_history('${schemaNameFor('org_a')}');
        digests.nth := nth; digest := seen.digest; entries := seen.entries;
        RETURN NEXT;
      END LOOP;
    END $$`);
  const rows = await fleet.query<{ nth: number; digest: string; entries: [string, number][] }>(
    'SELECT * FROM digests($1::jsonb)',
    [JSON.stringify(samples)],
  );
  expect(rows).toHaveLength(samples.length);
  for (const { nth, digest, entries } of rows) {
    const own = entriesOf(samples[nth] ?? []);
    expect({ history: samples[nth], digest, entries }).toEqual({
      history: samples[nth],
      digest: digestOf(own),
      entries: own.map((entry) => [entry.name, entry.batch]),
    });
  }
});
