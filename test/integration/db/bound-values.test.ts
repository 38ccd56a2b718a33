import * as fc from 'fast-check';
import type { PoolClient, QueryResult } from 'pg';
import { expect, test } from 'vitest';
import { createAnswer } from '../../../src/db/answer.ts';
import { createRecording } from '../../../src/db/knex/recording.ts';
import { onAnswer } from '../../../src/db/pg-internals.ts';
import { withClient } from '../../../src/db/transaction.ts';
import { createDatabase } from '../../support/database.ts';

/** What the server answers to a statement that is bound, and what to its recording. */
async function bothWays(client: PoolClient, text: string, values: readonly unknown[]): Promise<string[]> {
  const ask = async (send: () => Promise<unknown>) => {
    const answer = createAnswer();
    const stop = onAnswer(client, (message) => answer.take(message));
    try {
      await send();
      return `${answer.nameOf('counts')} ${answer.nameOf('rows')}`;
    } catch (error) {
      return String(error);
    } finally {
      stop();
    }
  };
  const recording = createRecording();
  recording.sent({ text, values });
  expect(recording.dependence).toBeUndefined();
  const [prepare = '', execute = '', deallocate = ''] = recording.pieces.map((piece) => piece.text);
  const bound = await ask(() => client.query(text, [...values]));
  const prepared = await ask(() => client.query(prepare)).then((said) =>
    said.startsWith('counts') ? ask(() => client.query(execute)) : said,
  );
  await client.query(deallocate).catch(() => {});
  return [bound, prepared];
}

const TEXTS = [
  'SELECT $1',
  'SELECT $1::text, $1',
  'SELECT $1::jsonb',
  'SELECT $1::interval hour',
  'SELECT coalesce($1, NULL), $1 IS NULL',
  'SELECT count(*) FROM every WHERE n = $1',
  'INSERT INTO every (t) VALUES ($1), ($1) RETURNING t, id IS NOT NULL',
  'INSERT INTO every (n) VALUES ($1) RETURNING n',
  'INSERT INTO every (h) SELECT $1 RETURNING h',
  'INSERT INTO every (b, j) VALUES ($1, NULL) RETURNING b',
  'UPDATE every SET at = $1 WHERE id = 1 RETURNING at',
  'SELECT id FROM every ORDER BY $1 LIMIT 1',
  "SELECT id, '$1', $$ $1 $$ /* $1 */ FROM every WHERE t = $1 -- $1",
  'WITH given AS (SELECT $1 AS x) SELECT x FROM given',
  'SELECT id FROM every ORDER BY id LIMIT $1;',
];

const VALUE = fc.oneof(
  fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
  fc.constantFrom(
    "'",
    "''",
    '\\',
    "\\'",
    '$1',
    '$$',
    '--',
    '/*',
    ';',
    '',
    'null',
    'NaN',
    'now',
    '1',
    '-1',
    '1:30',
    'true',
  ),
  fc.integer(),
  fc.double(),
  fc.bigInt(),
  fc.boolean(),
  fc.constantFrom(null, undefined),
  fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-01-01') }),
  fc.array(fc.oneof(fc.string({ unit: 'grapheme-ascii' }), fc.integer(), fc.constant(null))),
  fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.constant(null))),
);

test('a bound value means the same in a recording, or is refused alike', async () => {
  const testDatabase = await createDatabase();
  const database = await testDatabase.open(1);
  await testDatabase.query(
    'CREATE TABLE every (id serial, t text, n int, h interval hour, b boolean, j jsonb, at timestamptz); INSERT INTO every (t) VALUES (NULL)',
  );
  await withClient(database, async (client) => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...TEXTS), VALUE, async (text, value) => {
        const [bound, recorded] = await bothWays(client, text, [value]);
        expect(recorded).toBe(bound);
      }),
      {
        numRuns: 600,
        examples: [
          ['SELECT $1::interval hour', 1],
          ['INSERT INTO every (h) SELECT $1 RETURNING h', '1'],
        ],
      },
    );
  });
});

test('as a literal in its text a value could mean something else', async () => {
  const testDatabase = await createDatabase();
  const rows = async (text: string) => (await testDatabase.query(text)) as unknown as QueryResult[];
  expect(await rows("SELECT ('1'::interval hour)::text AS h")).toEqual([{ h: '01:00:00' }]);
  const database = await testDatabase.open(1);
  await withClient(database, async (client) => {
    const bound = await client.query('SELECT ($1::interval hour)::text AS h', ['1']);
    expect(bound.rows).toEqual([{ h: '00:00:00' }]);
  });
});
