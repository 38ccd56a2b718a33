import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { copyOut } from '../../../src/db/copy-out.ts';
import { BEGIN, withClient } from '../../../src/db/transaction.ts';
import { createDatabase } from '../../support/database.ts';

const LINES = Array.from({ length: 50_000 }, (_, index) => `${index}\t${'x'.repeat(index % 90)}\n`).join('');
const QUERY = `SELECT i, repeat('x', i % 90) FROM generate_series(0, 49999) i`;
const SPEAKING = `CREATE FUNCTION pg_temp.speaking(i int) RETURNS int LANGUAGE plpgsql AS $$
  BEGIN IF i IN (1, 900) THEN RAISE NOTICE 'row %', i; END IF; RETURN 1 / (2000 - i); END $$`;

test('a copy gives the rows, notices reach the client, and the connection goes on after an end or an error', async () => {
  const testDatabase = await createDatabase();
  const database = await testDatabase.open(1);
  await withClient(database, async (client) => {
    const answers = async () => (await client.query<{ two: number }>('SELECT 2 AS two')).rows;
    expect(String(await buffer(copyOut(client, `COPY (${QUERY}) TO STDOUT`)))).toBe(LINES);
    expect(await answers()).toEqual([{ two: 2 }]);
    expect(await buffer(copyOut(client, 'COPY (SELECT WHERE false) TO STDOUT'))).toHaveLength(0);

    const notices: (string | undefined)[] = [];
    client.on('notice', ({ message }) => notices.push(message));
    await client.query(SPEAKING);
    const copied = async (rows: number) =>
      String(
        await buffer(
          copyOut(client, `COPY (SELECT pg_temp.speaking(i) FROM generate_series(1, ${rows}) i) TO STDOUT`),
        ),
      );
    expect(await copied(1000)).toHaveLength(2000);
    expect(notices).toEqual(['row 1', 'row 900']);
    await expect(copied(3000)).rejects.toThrow('division by zero');
    await expect(buffer(copyOut(client, 'COPY nowhere TO STDOUT'))).rejects.toThrow('nowhere');
    expect(await answers()).toEqual([{ two: 2 }]);
  });
});

test('a copy that is left early is cancelled, and the transaction with it', async () => {
  const testDatabase = await createDatabase();
  const database = await testDatabase.open(1);
  await withClient(database, async (client) => {
    await client.query(BEGIN);
    for await (const chunk of copyOut(client, `COPY (${QUERY}, generate_series(1, 500)) TO STDOUT`)) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    await expect(client.query('SELECT 1')).rejects.toThrow('current transaction is aborted');
    await client.query('ROLLBACK');
    expect((await client.query('SELECT 2 AS two')).rows).toEqual([{ two: 2 }]);
  });
});

test('a connection that is lost during a copy is an error of the copy', async () => {
  const testDatabase = await createDatabase();
  const database = await testDatabase.open(1);
  await withClient(database, async (client) => {
    client.on('error', () => {});
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const copying = async () => {
      let isFirst = true;
      for await (const _ of copyOut(client, `COPY (${QUERY}, generate_series(1, 500)) TO STDOUT`)) {
        if (isFirst) await testDatabase.query(`SELECT pg_terminate_backend(${rows[0]?.pid})`);
        isFirst = false;
      }
    };
    await expect(copying()).rejects.toThrow(/terminat/i);
  });
});
