import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { text as readAll } from 'node:stream/consumers';
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import * as pg from 'pg';
import { expect, test } from 'vitest';
import type { TenantClient } from '../../../src/app/tenants.ts';
import { codeOf, createApplication, whoIs } from '../../support/application.ts';

test('pg’s own ways to ask work: values, rowMode, types, binary, callbacks, builders of SQL', async () => {
  const { tenants } = await createApplication();
  /** As the builders of npm have it: what pg reads are getters of the class. */
  class Built {
    get text() {
      return 'SELECT $1::int AS a';
    }
    get values() {
      return [7];
    }
  }
  await tenants.run('org_a', async (client) => {
    expect((await client.query('SELECT $1::int AS a', [1])).rows).toEqual([{ a: 1 }]);
    expect((await client.query({ text: 'SELECT $1::int, 2', values: [1], rowMode: 'array' })).rows).toEqual([
      [1, 2],
    ]);
    expect((await client.query({ text: 'SELECT $1::int AS a' }, [3])).rows).toEqual([{ a: 3 }]);
    expect((await client.query(new Built())).rows).toEqual([{ a: 7 }]);
    const types = { getTypeParser: () => (value: string) => `<${value}>` } as unknown as pg.CustomTypesConfig;
    expect((await client.query({ text: 'SELECT 1 AS a', types })).rows).toEqual([{ a: '<1>' }]);
    type Done = (error: Error | null, result: pg.QueryResult) => void;
    const ways: ((done: Done) => unknown)[] = [
      (done) => client.query('SELECT 4 AS a', done),
      (done) => client.query('SELECT $1::int AS a', [4], done),
      (done) => client.query({ text: 'SELECT 4 AS a', callback: done } as unknown as pg.QueryConfig),
    ];
    for (const ask of ways) {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      expect(ask((error, result) => (error ? reject(error) : resolve(result.rows)))).toBeUndefined();
      expect(await promise).toEqual([{ a: 4 }]);
    }
    expect(client.escapeLiteral(`it's`)).toBe(`'it''s'`);
    expect(client.escapeIdentifier('a"b')).toBe('"a""b"');
    // Words in literals and comments are nothing to worry about.
    expect((await client.query(`SELECT 'COMMIT; pg_advisory_lock(1)' AS a -- ; COMMIT`)).rowCount).toBe(1);
  });
});

test('cursors and streams read the tenant, and are closed if the work leaves them open', async () => {
  const { tenants, pool } = await createApplication();
  const many = 'SELECT n, org FROM who, generate_series(1, 5000) n';
  const rows = await tenants.run('org_a', async (client) => {
    const cursor = client.query(new Cursor<{ org: string }>(many));
    const read = await cursor.read(3);
    await cursor.close();
    const streamed: unknown[] = [];
    for await (const row of client.query(new QueryStream(`${many} LIMIT 2`))) streamed.push(row);
    await pipeline(Readable.from(['x\n', 'y\n']), client.query(copyFrom('COPY who FROM STDIN')));
    const copied = await readAll(client.query(copyTo('COPY who TO STDOUT')));
    return { read: read.length, streamed: streamed.length, copied };
  });
  expect(rows).toEqual({ read: 3, streamed: 2, copied: 'org_a\nx\ny\n' });

  const leaves: Record<string, (client: TenantClient) => Promise<unknown>> = {
    'a cursor that was not begun': (client) => Promise.resolve(void client.query(new Cursor(many))),
    'a cursor in the midst': async (client) => void (await client.query(new Cursor(many)).read(2)),
    'a query stream that was not begun': (client) =>
      Promise.resolve(void client.query(new QueryStream(many))),
    'a query stream in the midst': async (client) => {
      for await (const _ of client.query(new QueryStream(many))) break;
    },
  };
  for (const [name, leave] of Object.entries(leaves)) {
    await tenants.run('org_a', leave);
    expect({ name, who: await whoIs(tenants, 'org_b') }).toEqual({ name, who: 'org_b' });
  }
  const copies: Record<string, (client: TenantClient) => Promise<unknown>> = {
    'a COPY out that was not read': (client) =>
      Promise.resolve(void client.query(copyTo(`COPY (${many}) TO STDOUT`))),
    'a COPY out in the midst': async (client) => {
      for await (const _ of client.query(copyTo(`COPY (${many}) TO STDOUT`))) break;
    },
    'a COPY in that was not ended': (client) =>
      Promise.resolve(void client.query(copyFrom('COPY who FROM STDIN')).write('z\n')),
  };
  for (const [name, leave] of Object.entries(copies)) {
    expect({ name, code: await codeOf(tenants.run('org_a', leave)) }).toEqual({
      name,
      code: 'SESSION_STATE',
    });
    expect({ name, who: await whoIs(tenants, 'org_b') }).toEqual({ name, who: 'org_b' });
  }
  expect(pool.totalCount).toBe(1);
});

test('a stream that breaks, or is stopped, ends its call and does not hold it', async () => {
  const { tenants, query } = await createApplication();
  const slow = 'SELECT n, pg_sleep(0.2) FROM generate_series(1, 100) n';
  const reads: Record<string, (client: TenantClient) => Promise<unknown>> = {
    cursor: (client) => client.query(new Cursor(slow)).read(50),
    'query stream': async (client) => void (await client.query(new QueryStream(slow)).toArray()),
    'COPY out': (client) => readAll(client.query(copyTo(`COPY (${slow}) TO STDOUT`))),
  };
  for (const [name, read] of Object.entries(reads)) {
    const reason = new Error('stopped');
    const controller = new AbortController();
    const stopped = tenants
      .run('org_a', read, { signal: controller.signal })
      .catch((error: unknown) => error);
    setTimeout(() => controller.abort(reason), 100);
    expect({ name, is: (await stopped) === reason }).toEqual({ name, is: true });
    const broken = tenants.run('org_a', async (client) => {
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      setTimeout(() => void query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]), 100);
      await read(client);
    });
    await expect(broken).rejects.toThrow(/terminat|ECONNRESET|EPIPE|closed/);
    expect(await whoIs(tenants, 'org_b')).toBe('org_b');
  }
});

test('a stream is one statement, and changes no settings', async () => {
  const { tenants } = await createApplication();
  for (const stream of [
    copyFrom('COPY who FROM STDIN; COMMIT'),
    copyTo(`COPY who TO STDOUT; SET search_path = public`),
    new Cursor(`SELECT set_config('app.tenant', 'a', false)`),
    new Cursor('COMMIT'),
    new QueryStream('SELECT pg_advisory_lock(1)'),
    new pg.Query({ text: 'SELECT 1; COMMIT' }),
    new pg.Query({ name: 'named', text: 'SELECT 1' }),
    { submit: () => undefined },
  ])
    expect(
      await codeOf(
        tenants.run('org_a', async (client) => void client.query(stream as unknown as pg.Submittable)),
      ),
    ).toBe('SESSION_STATE');
  expect(await whoIs(tenants, 'org_a')).toBe('org_a');
});

test('a stream that sends something else than its text is found out before the COMMIT', async () => {
  const { tenants, pool } = await createApplication();
  const liar = Object.assign(new pg.Query('SELECT 1'), {
    submit: (connection: { query(text: string): void }) =>
      connection.query('COMMIT; SET search_path = pg_catalog; BEGIN'),
  });
  const [before] = (await pool.query('SELECT pg_backend_pid() AS pid')).rows;
  const lying = tenants.run('org_a', async (client) => void client.query(liar as unknown as pg.Submittable));
  await expect(lying).rejects.toMatchObject({
    code: 'SESSION_STATE',
    message: expect.stringContaining('ended its transaction'),
  });
  // Nobody else gets that connection.
  expect((await pool.query('SELECT pg_backend_pid() AS pid')).rows).not.toEqual([before]);
});

test('statements that are sent at once are answered in turn, without a warning of pg', async () => {
  const { tenants } = await createApplication();
  const warnings: string[] = [];
  const onWarning = (warning: Error) => warnings.push(warning.message);
  process.on('warning', onWarning);
  const numbers = await tenants.run('org_a', (client) =>
    Promise.all(
      [1, 2, 3].map(async (n) => (await client.query<{ n: number }>('SELECT $1::int AS n', [n])).rows[0]?.n),
    ),
  );
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', onWarning);
  expect(numbers).toEqual([1, 2, 3]);
  expect(warnings.filter((text) => text.includes('already executing'))).toEqual([]);
});

test('another copy of pg serves as well', async () => {
  const { fleet } = await createApplication();
  const { createRequire } = await import('node:module');
  const require = createRequire(import.meta.url);
  const path = require.resolve('pg');
  for (const name of Object.keys(require.cache)) if (name.includes('/pg/')) delete require.cache[name];
  const other = require(path) as typeof pg;
  expect(other.Pool).not.toBe(pg.Pool);
  const { openTenants } = await import('../../../src/app/tenants.ts');
  const pool = new other.Pool({ connectionString: fleet.testDatabase.url, max: 1 });
  pool.on('error', () => {});
  const tenants = openTenants(pool);
  expect(await whoIs(tenants, 'org_b')).toBe('org_b');
  expect(await codeOf(tenants.run('org_a', (client) => client.query('SELECT * FROM nowhere')))).toBe('42P01');
  expect(
    await codeOf(
      tenants.run('org_a', (client) => client.query('SELECT pg_sleep(30)'), {
        signal: AbortSignal.timeout(100),
      }),
    ),
  ).toBe(23);
  await pool.end();
});
