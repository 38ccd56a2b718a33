import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../../src/db/open.ts';
import { startPostgres } from '../../support/postgres-programs.ts';

/** A server on which the role `migrator` needs a password, which can be changed. */
async function startWithPassword() {
  const server = await startPostgres({
    hba: ['host all migrator all scram-sha-256', 'host all all all trust'],
  });
  onTestFinished(() => server.stop());
  const superuser = new Client({
    host: '127.0.0.1',
    port: server.port,
    user: 'postgres',
    database: 'postgres',
  });
  await superuser.connect();
  onTestFinished(() => superuser.end());
  await superuser.query('CREATE ROLE migrator LOGIN');
  return {
    settings: {
      kind: 'server',
      host: '127.0.0.1',
      port: server.port,
      user: 'migrator',
      database: 'postgres',
      ssl: false,
      connectTimeoutMs: 10_000,
    },
    change: (password: string) => superuser.query(`ALTER ROLE migrator PASSWORD '${password}'`),
    cut: () =>
      superuser.query(
        `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'migrator'`,
      ),
  } as const;
}

test('a password that is a function is asked for each connection, and every password is masked', async () => {
  const { settings, change, cut } = await startWithPassword();
  const issued = ['token-one-1', 'token-two-2'];
  let calls = 0;
  await change('token-one-1');
  const password = () => Promise.resolve(issued[calls++] ?? 'none');
  const database = await openDatabase({ ...settings, password }, { maxConnections: 2 });
  onTestFinished(() => database.close());
  await database.query('SELECT');
  expect(calls).toBe(1);
  await change('token-two-2');
  await cut();
  await expect.poll(() => database.query('SELECT').catch(() => undefined)).toBeDefined();
  expect(calls).toBe(2);
  expect(database.conceal('token-one-1 and token-two-2')).toBe('*** and ***');

  // No token is to be had: told as such, with nothing of the first ones.
  const broken = { ...settings, password: () => Promise.reject(new Error('no credentials for token-one-1')) };
  await expect(openDatabase(broken, { maxConnections: 2 })).rejects.toMatchObject({
    code: 'CONNECTION_FAILED',
  });
});
