import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import {
  countCompleted,
  keepAlive,
  knowsStatus,
  passwordOf,
  processIdOf,
  requestCancel,
  setPipelining,
  socketOf,
} from '../../../src/db/pg-internals.ts';
import { withClient } from '../../../src/db/transaction.ts';
import { createDatabase } from '../../support/database.ts';

test('pg still has inside what tenantctl uses of it', async () => {
  const testDatabase = await createDatabase();
  const database = await testDatabase.open(2);
  await withClient(database, async (client) => {
    expect(socketOf(client)).toBeInstanceOf(Socket);
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    expect(processIdOf(client)).toBe(rows[0]?.pid);
    expect(passwordOf(client)).toBe(testDatabase.settings.password);

    // Both strings are sent before the first is answered.
    setPipelining(client, true);
    const socket = socketOf(client);
    const before = socket.bytesWritten;
    const first = client.query('SELECT pg_sleep(0.2)');
    const second = client.query('SELECT 2 AS two');
    expect(socket.bytesWritten - before).toBeGreaterThan('SELECT pg_sleep(0.2)SELECT 2 AS two'.length);
    await first;
    expect((await second).rows).toEqual([{ two: 2 }]);
    setPipelining(client, false);

    keepAlive(client, false);
    keepAlive(client, true);
    expect((await client.query('SELECT 3 AS three')).rows).toEqual([{ three: 3 }]);

    const completed = countCompleted(client);
    await expect(client.query(`SELECT 1; SET TIME ZONE 'UTC'; SELECT 1 / 0; SELECT 4`)).rejects.toThrow(
      'zero',
    );
    expect(completed()).toBe(2);
    const next = client.query('');
    expect(knowsStatus(client)).toBe(false);
    await next;
    expect(knowsStatus(client)).toBe(true);

    const sleeping = client.query('SELECT pg_sleep(20)').catch((error: unknown) => error);
    const active = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid = ${processIdOf(client)}`;
    await expect.poll(() => testDatabase.query(active)).toEqual([{ n: 1 }]);
    await requestCancel(testDatabase.settings, client, 5_000);
    expect(await sleeping).toMatchObject({ code: '57014' });
  });
});
