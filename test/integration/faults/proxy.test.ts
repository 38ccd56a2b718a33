import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import type { Passing } from '../../faults/wire/pieces.ts';
import { openProxy } from '../../faults/wire/proxy.ts';
import type { OnPoint } from '../../faults/wire/relay.ts';
import { createDatabase, type TestServerDatabase } from '../../support/database.ts';

/** A client that speaks to the database through the harness's proxy. */
async function through(
  database: TestServerDatabase,
  passing: Passing,
  onPoint: OnPoint = () => {},
): Promise<Client> {
  const { host, port, user, password, database: name } = database.settings;
  const proxy = await openProxy(port, { passing, onPoint, host });
  onTestFinished(() => proxy.close());
  const client = new Client({ host: '127.0.0.1', port: proxy.port, user, password, database: name });
  client.on('error', () => {});
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

test.each(['whole', 'statements'] as const)(
  'through the proxy the server answers as it does without (%s)',
  async (passing) => {
    const database = await createDatabase();
    const client = await through(database, passing);
    const string =
      'BEGIN; CREATE TABLE one (n int); INSERT INTO one VALUES (1), (2); SELECT n FROM one; COMMIT';
    const results = (await client.query(string)) as unknown as { command: string; rowCount: number }[];
    expect(results.map(({ command }) => command)).toEqual(['BEGIN', 'CREATE', 'INSERT', 'SELECT', 'COMMIT']);
    expect(results[3]?.rowCount).toBe(2);
    expect((await client.query('SELECT $1::int + 1 AS n', [41])).rows).toEqual([{ n: 42 }]);
    await expect(client.query('BEGIN; SELECT 1 / 0; CREATE TABLE two (); COMMIT')).rejects.toThrow(
      'division by zero',
    );
    await client.query('ROLLBACK');
    expect(await database.query(`SELECT to_regclass('two') AS two`)).toEqual([{ two: null }]);
  },
);

test('statement by statement, a cut behind the last but one leaves nothing, and one behind the last leaves all', async () => {
  const database = await createDatabase();
  const cutAfter = async (point: string) => {
    const client = await through(database, 'statements', (moment, name, relay) => {
      if (`${moment} ${name}` === point) relay.cut();
    });
    await client.query('BEGIN; CREATE TABLE cut_off (); COMMIT').catch(() => {});
    return database.query<{ made: boolean }>(`SELECT to_regclass('cut_off') IS NOT NULL AS made`);
  };
  expect(await cutAfter('after statement CREATE TABLE')).toEqual([{ made: false }]);
  expect(await cutAfter('after commit')).toEqual([{ made: true }]);
});
