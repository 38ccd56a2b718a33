import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { openTenants, type TenantClient } from '../../../src/app/tenants.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { codeOf, createApplication, openPool, WHO, whoIs } from '../../support/application.ts';

const SCHEMA = schemaNameFor('org_a');
const one = async (client: TenantClient, text: string) =>
  Object.values((await client.query<Record<string, unknown>>(text)).rows[0] ?? {})[0];

test('work within the work of the same organization joins its transaction; of another one, it is refused', async () => {
  const { tenants } = await createApplication();
  expect(tenants.current()).toBeUndefined();
  await tenants.run(
    'org_a',
    async (outer) => {
      const id = await one(outer, 'SELECT txid_current()');
      const context = tenants.current();
      expect(context).toMatchObject({ clerkOrgId: 'org_a', schema: SCHEMA });
      const join = (options = {}, org: string | typeof context = context) =>
        tenants.run(org ?? '', (inner) => one(inner, 'SELECT txid_current()'), options);
      expect(await join()).toBe(id);
      expect(await join({ isolation: 'repeatable read', readOnly: undefined }, 'org_a')).toBe(id);
      expect(await codeOf(join({ readOnly: true }))).toBe('USAGE');
      expect(await codeOf(join({ signal: new AbortController().signal }))).toBe('USAGE');
      expect(await codeOf(join({}, 'org_b'))).toBe('OTHER_TENANT');
      expect(await codeOf(join({}, { clerkOrgId: 'org_a', schema: 'tid_other' }))).toBe('TENANT_CHANGED');
      // Refusals leave the transaction as it is.
      expect(await join()).toBe(id);
    },
    { isolation: 'repeatable read' },
  );
  expect(tenants.current()).toBeUndefined();
});

test('what current() says can be written into a job and taken up again, unless the tenant was made anew', async () => {
  const { tenants, query } = await createApplication();
  const job = await tenants.run('org_a', () => Promise.resolve(JSON.stringify(tenants.current())));
  const take = () =>
    tenants.run(JSON.parse(job) as { clerkOrgId: string; schema: string }, (client) => one(client, WHO));
  expect(await take()).toBe('org_a');
  await query(
    `ALTER SCHEMA ${SCHEMA} RENAME TO old; CREATE SCHEMA ${SCHEMA}; CREATE TABLE ${SCHEMA}.who AS SELECT 'new' AS org`,
  );
  expect(await codeOf(take())).toBe('TENANT_CHANGED');
  expect(await tenants.run({ clerkOrgId: 'org_a', schema: SCHEMA }, (client) => one(client, WHO))).toBe(
    'new',
  );
  await query(
    `UPDATE tenants SET schema_name = 'elsewhere' WHERE clerk_org_id = 'org_a'; CREATE SCHEMA elsewhere`,
  );
  expect(await codeOf(take())).toBe('TENANT_CHANGED');
});

test('queries that nobody awaits are waited for, and the call fails with the error of one', async () => {
  const { tenants, query } = await createApplication();
  await tenants.run('org_a', (client) => {
    void client.query(`INSERT INTO who SELECT 'first' FROM pg_sleep(0.05)`);
    void client.query(`INSERT INTO who VALUES ('second')`);
    return Promise.resolve();
  });
  expect(await query(`SELECT org FROM ${SCHEMA}.who`)).toEqual(
    ['org_a', 'first', 'second'].map((org) => ({ org })),
  );
  const failing = tenants.run('org_a', async (client) => {
    await client.query('DELETE FROM who');
    void client.query('SELECT 1 / 0');
  });
  expect(await codeOf(failing)).toBe('22012');
  expect(await query(`SELECT count(*)::int FROM ${SCHEMA}.who`)).toEqual([{ count: 3 }]);
});

test('a client that was kept is dead after its call, and a timer that outlives its call begins one of its own', async () => {
  const { tenants } = await createApplication();
  let kept: TenantClient | undefined;
  let late: Promise<unknown> | undefined;
  await tenants.run('org_a', (client) => {
    kept = client;
    late = sleep(50).then(() => {
      expect(tenants.current()).toBeUndefined();
      return whoIs(tenants, 'org_b');
    });
    return Promise.resolve();
  });
  expect(await codeOf(kept?.query(WHO) ?? Promise.resolve())).toBe('CALL_ENDED');
  expect(await late).toBe('org_b');
});

test('an error of the work is the very same object, whatever it is', async () => {
  const { tenants, query } = await createApplication();
  for (const thrown of [new Error('of the work'), 'a text', null, undefined, { code: '25P02' }]) {
    const outcome = tenants.run('org_a', async (client) => {
      await client.query('DELETE FROM who');
      throw thrown;
    });
    expect(
      await outcome.then(
        () => 'nothing',
        (error: unknown) => ({ is: error === thrown }),
      ),
    ).toEqual({ is: true });
  }
  expect(await query(`SELECT count(*)::int FROM ${SCHEMA}.who`)).toEqual([{ count: 1 }]);
});

test('a swallowed error of a statement does not roll back in silence: the call fails and says which', async () => {
  const { tenants, query } = await createApplication();
  const swallow = tenants.run('org_a', async (client) => {
    await client.query(`INSERT INTO who VALUES ('lost')`);
    await client.query('SELECT 1 / 0').catch(() => {});
    await client.query('SELECT 2').catch(() => {});
  });
  await expect(swallow).rejects.toMatchObject({
    code: 'TRANSACTION_ABORTED',
    sqlstate: '22012',
    message: expect.stringContaining('division by zero'),
    cause: { code: '22012' },
  });
  await tenants.run('org_a', async (client) => {
    await client.query('SAVEPOINT s');
    await client.query('SELECT 1 / 0').catch(() => {});
    await client.query('ROLLBACK TO s');
    await client.query(`INSERT INTO who VALUES ('kept')`);
  });
  expect(await query(`SELECT org FROM ${SCHEMA}.who`)).toEqual([{ org: 'org_a' }, { org: 'kept' }]);
});

test('a signal stops a call at any time: before, at the pool, in a statement, in other work', async () => {
  const { tenants, pool } = await createApplication();
  const reason = new Error('stopped');
  const runs: string[] = [];
  const stopped = (
    signal: AbortSignal,
    work: (client: TenantClient) => Promise<unknown> = () => Promise.resolve(runs.push('ran')),
  ) =>
    tenants.run('org_a', work, { signal }).then(
      () => 'done',
      (error: unknown) => error,
    );
  expect(await stopped(AbortSignal.abort(reason))).toBe(reason);

  const holder = await pool.connect();
  const waiting = new AbortController();
  const atPool = stopped(waiting.signal);
  waiting.abort(reason);
  expect(await atPool).toBe(reason);
  holder.release();
  await expect.poll(() => [pool.idleCount, pool.waitingCount]).toEqual([1, 0]);

  const during = new AbortController();
  const inStatement = stopped(during.signal, (client) => client.query('SELECT pg_sleep(30)'));
  setTimeout(() => during.abort(reason), 100);
  expect(await inStatement).toBe(reason);

  const elsewhere = new AbortController();
  let afterwards: Promise<unknown> | undefined;
  const inOther = stopped(elsewhere.signal, async (client) => {
    await client.query(WHO);
    elsewhere.abort(reason);
    afterwards = codeOf(
      client
        .query(WHO)
        .catch((error: unknown) => Promise.reject(error === reason ? { code: 'reason' } : error)),
    );
    await sleep(30_000, undefined, { ref: false });
  });
  expect(await inOther).toBe(reason);
  expect(await afterwards).toBe('reason');
  const atEnd = new AbortController();
  const inConstraints = stopped(atEnd.signal, async (client) => {
    await client.query(
      'CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(30); RETURN NULL; END $$',
    );
    await client.query(
      'CREATE CONSTRAINT TRIGGER t AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()',
    );
    await client.query('INSERT INTO notes VALUES (1)');
    setTimeout(() => atEnd.abort(reason), 100);
  });
  expect(await inConstraints).toBe(reason);
  expect(runs).toEqual([]);
  expect(await whoIs(tenants, 'org_b')).toBe('org_b');
  expect(pool.totalCount).toBe(1);
});

test('a statement timeout is the call’s alone', async () => {
  const { tenants, pool } = await createApplication();
  expect(
    await codeOf(
      tenants.run('org_a', (client) => client.query('SELECT pg_sleep(30)'), { statementTimeoutMs: 50 }),
    ),
  ).toBe('57014');
  expect((await pool.query('SHOW statement_timeout')).rows).toEqual([{ statement_timeout: '0' }]);
});

test('read only stays so: the work cannot turn it off', async () => {
  const { tenants } = await createApplication();
  for (const text of [
    'DELETE FROM who',
    'SET TRANSACTION READ WRITE',
    'SET LOCAL transaction_read_only = off',
  ])
    expect(await codeOf(tenants.run('org_a', (client) => client.query(text), { readOnly: true }))).toMatch(
      /^25/,
    );
});

test('a broken connection is destroyed, wherever it breaks, and the pool goes on', async () => {
  const { tenants, pool, query } = await createApplication();
  const kill = (pid: unknown) => query('SELECT pg_terminate_backend($1)', [pid]);
  const pids = new Set<unknown>();
  const breaks: ((client: TenantClient, pid: unknown) => Promise<unknown>)[] = [
    async (client, pid) => {
      setTimeout(() => void kill(pid), 50);
      await client.query('SELECT pg_sleep(30)');
    },
    (_, pid) => kill(pid).then(() => sleep(100)),
    async (client, pid) => {
      await kill(pid);
      await client.query(WHO);
    },
    async (_, pid) => {
      await kill(pid);
      throw new Error('of the work');
    },
  ];
  for (const work of breaks) {
    const call = tenants.run('org_a', async (client) => {
      const pid = await one(client, 'SELECT pg_backend_pid()');
      pids.add(pid);
      return work(client, pid);
    });
    await expect(call).rejects.toThrow(/terminat|closed|of the work|ended/i);
    expect(await whoIs(tenants, 'org_a')).toBe('org_a');
  }
  expect(pids.size).toBe(breaks.length);
  expect([pool.totalCount, pool.idleCount]).toEqual([1, 1]);
});

test('no listener stays on a client, and none on a signal', async () => {
  const { tenants, pool } = await createApplication();
  const client = await pool.connect();
  const count = () => client.eventNames().map((name) => [name, client.listenerCount(name)]);
  const before = count();
  client.release();
  const { signal } = new AbortController();
  let added = 0;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (...given: Parameters<typeof add>) => (added++, add(...given));
  signal.removeEventListener = (...given: Parameters<typeof remove>) => (added--, remove(...given));
  for (let at = 0; at < 30; at += 1)
    await tenants
      .run('org_a', (each) => each.query(at % 3 === 0 ? 'SELECT 1 / 0' : WHO), { signal })
      .catch(() => {});
  const again = await pool.connect();
  expect(again).toBe(client);
  expect(count()).toEqual(before);
  again.release();
  expect(added).toBe(0);
});

test('deferred constraints and triggers run under the tenant’s path, whatever the work has set', async () => {
  const { tenants, query } = await createApplication();
  await tenants.run('org_a', async (client) => {
    await client.query('CREATE TABLE seen (org text)');
    await client.query(
      `CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen SELECT org FROM who; RETURN NULL; END $$`,
    );
    await client.query(
      'CREATE CONSTRAINT TRIGGER t AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note()',
    );
    await client.query('INSERT INTO notes VALUES (1)');
    await client.query('SET LOCAL search_path TO public');
  });
  expect(await query(`SELECT org FROM ${SCHEMA}.seen`)).toEqual([{ org: 'org_a' }]);
});

test('a session that has temporary objects or listens keeps them, and a call adds none', async () => {
  const { tenants, pool } = await createApplication();
  await pool.query(`CREATE TEMP TABLE kept (id int); LISTEN kept`);
  const state = () =>
    pool.query(
      `SELECT to_regclass('pg_temp.kept') IS NOT NULL AS kept, to_regclass('pg_temp.own') IS NULL AS alone, ARRAY(SELECT pg_listening_channels()) AS channels`,
    );
  const asBefore = [{ kept: true, alone: true, channels: ['kept'] }];
  expect(await whoIs(tenants, 'org_a')).toBe('org_a');
  expect((await state()).rows).toEqual(asBefore);
  await tenants.run('org_a', (client) => client.query(`DO $$ BEGIN EXECUTE 'LISTEN other'; END $$`));
  await tenants.run('org_a', async (client) => {
    await client.query('SAVEPOINT s');
    await client.query('CREATE TEMP TABLE own (id int) ON COMMIT DROP');
    await client.query('DROP TABLE own');
  });
  expect((await state()).rows).toEqual(asBefore);
  expect(await codeOf(tenants.run('org_a', (client) => client.query('CREATE TEMP TABLE own (id int)')))).toBe(
    'SESSION_STATE',
  );
  // That connection is gone, and its table with it.
  expect((await state()).rows).toMatchObject([{ kept: false }]);
  // Where a call has left an empty temporary schema, temporary objects are cleared as ever.
  for (let times = 0; times < 2; times += 1) {
    await tenants.run('org_a', (client) => client.query('CREATE TEMP TABLE own (id int)'));
    expect((await state()).rows).toMatchObject([{ alone: true }]);
  }
});

test('settings of the application that a function changes are put back if openTenants knows them', async () => {
  const { pool, query } = await createApplication();
  await query(
    `CREATE FUNCTION public.choose(t text) RETURNS text LANGUAGE sql AS $$ SELECT set_config('app.tenant', t, false) $$`,
  );
  const tenants = openTenants(pool, { settings: ['App.Tenant', 'work_mem'] });
  await tenants.run('org_a', (client) => client.query(`SELECT public.choose('a')`));
  expect((await pool.query(`SELECT current_setting('app.tenant', true) AS tenant`)).rows).toEqual([
    { tenant: '' },
  ]);
  await pool.query(`SET app.tenant = 'pool'`);
  await tenants.run('org_a', (client) => client.query(`SELECT public.choose('a')`));
  expect((await pool.query('SHOW app.tenant')).rows).toEqual([{ 'app.tenant': 'pool' }]);
});

test('options that JavaScript gets wrong are refused', async () => {
  const { tenants, pool } = await createApplication();
  const wrong = { isolation: 'serializable; DROP TABLE tenants' } as unknown as object;
  expect(await codeOf(tenants.run('org_a', () => Promise.resolve(), wrong))).toBe('USAGE');
  expect(await codeOf(tenants.run('org_a', () => Promise.resolve(), { statementTimeoutMs: -1 }))).toBe(
    'USAGE',
  );
  expect(() => openTenants(pool, { cacheMs: Number.NaN })).toThrow(/cacheMs/);
});

test('what the pool sets for each connection, its role included, is there again after a call', async () => {
  const { fleet, query } = await createApplication();
  const role = `r${randomBytes(5).toString('hex')}`;
  onTestFinished(() => query(`DROP OWNED BY ${role}; DROP ROLE ${role}`).then(() => undefined));
  await query(`CREATE ROLE ${role}; GRANT SELECT ON tenants TO ${role}; GRANT USAGE ON SCHEMA ${SCHEMA} TO ${role};
    GRANT SELECT ON ALL TABLES IN SCHEMA ${SCHEMA} TO ${role}`);
  const pool = openPool({ connectionString: fleet.testDatabase.url, max: 1 });
  pool.on('connect', (client) => {
    void client.query(
      `SET ROLE ${role}; SET search_path = pg_catalog, "It's"; SET lock_timeout = '7s'; SET app.pool = E'a\\\\''b'`,
    );
  });
  const tenants = openTenants(pool);
  const set = async () =>
    (
      await pool.query(`SELECT current_user AS role, current_setting('search_path') AS path,
      current_setting('lock_timeout') AS timeout, current_setting('app.pool') AS custom`)
    ).rows;
  const before = await set();
  expect(before).toEqual([{ role, path: `pg_catalog, "It's"`, timeout: '7s', custom: `a\\'b` }]);
  expect(await whoIs(tenants, 'org_a')).toBe('org_a');
  expect(await set()).toEqual(before);
  await tenants.run('org_a', (client) => client.query('CREATE TABLE made (id int)'), { asOwner: true });
  expect(await set()).toEqual(before);
  await tenants.run('org_a', async (client) => {
    for (const text of ['RESET ROLE', 'RESET lock_timeout', `SET app.pool = ''`, 'RESET search_path'])
      await client.query(text);
  });
  expect(await set()).toEqual(before);
});
