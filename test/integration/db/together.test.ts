import { expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../../src/db/open.ts';
import type { Database } from '../../../src/db/database.ts';
import { createDatabase } from '../../support/database.ts';

async function open(): Promise<Database> {
  const { settings } = await createDatabase();
  const database = await openDatabase(settings, { maxConnections: 5 });
  onTestFinished(() => database.close());
  return database;
}

const backend = async (database: Database) =>
  (await database.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid;

test('what is read together shares a connection, nested reading included', async () => {
  const database = await open();
  const [first] = await database.together((one) => [backend(one)]);
  const pids = await database.together((one) => [
    backend(one),
    one.together((two) => [backend(two), backend(two)]),
  ]);
  expect(pids).toEqual([first, [first, first]]);
  expect(database.opened()).toBe(1);
});

test('queries read together run in order in one transaction, but for one that changes settings', async () => {
  const database = await open();
  await database.query('CREATE TABLE seen (at timestamptz DEFAULT now())');
  const [inserted, found, , settings] = await database.together((one) => [
    one.query('INSERT INTO seen DEFAULT VALUES RETURNING at <> $1 AS "isNew"', [new Date(0)]),
    one.query('SELECT at = now() AS "isNow" FROM seen'),
    one.query('SET LOCAL jit = on; SELECT 1'),
    one.query(`SELECT current_setting('jit') AS jit, current_setting('datestyle') AS style`),
  ]);
  expect([inserted.rows, found.rows, settings.rows]).toEqual([
    [{ isNew: true }],
    [{ isNow: true }],
    [{ jit: 'off', style: 'ISO, MDY' }],
  ]);
});

test('a query that the server cancels is not run again', async () => {
  const database = await open();
  await database.query('CREATE SEQUENCE runs');
  const cancel = `SELECT nextval('runs'), pg_cancel_backend(pg_backend_pid()), pg_sleep(10)`;
  const reading = database.together((one) => [one.query(cancel), one.query('SELECT 1')]);
  await expect(reading).rejects.toMatchObject({ sqlstate: '57014' });
  expect((await database.query('SELECT last_value::int FROM runs')).rows).toEqual([{ last_value: 1 }]);
});

test('one query that fails leaves the others; the first failure in the list is thrown', async () => {
  const database = await open();
  await database.query('CREATE TABLE seen (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)');
  const answers: unknown[] = [];
  const later = async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    throw new Error('first in the list, last in time');
  };
  const reading = database.together((one) => [
    later(),
    one.query('SELECT FROM missing'),
    one.query('INSERT INTO seen VALUES (1), (1)'),
    one.query('INSERT INTO seen VALUES (2) RETURNING n').then(({ rows }) => answers.push(...rows)),
  ]);
  await expect(reading).rejects.toThrow('first in the list, last in time');
  expect(answers).toEqual([{ n: 2 }]);
  expect((await database.query('SELECT n FROM seen')).rows).toEqual([{ n: 2 }]);
});

test('a lost connection fails all that was read together, and the next reading works', async () => {
  const database = await open();
  const kill = 'SELECT pg_terminate_backend(pg_backend_pid())';
  const settled = await database.together((one) => [
    Promise.allSettled([one.query('SELECT 1'), one.query(kill), backend(one)]),
  ]);
  expect(settled[0].at(-1)).toMatchObject({ status: 'rejected', reason: { code: 'DATABASE_ERROR' } });
  expect(await database.together((one) => [backend(one)])).toEqual([expect.any(Number)]);
});
