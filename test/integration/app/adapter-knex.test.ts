import { text } from 'node:stream/consumers';
import knex, { type Knex } from 'knex';
import oldest from 'knex-0.95';
import knex1 from 'knex-1';
import knex2 from 'knex-2';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { describeAdapter } from '../../support/adapter-contract.ts';
import { tenantsOf, withTenant } from '../../../src/app/knex.ts';

function openKnex(connection: string, max: number, from: typeof knex = knex): Knex {
  const db = from({ client: 'pg', connection, pool: { min: 0, max } });
  // It warns of the connections that a test breaks.
  db.client.logger.warn = () => {};
  return db;
}

const { fleet } = describeAdapter<Knex>('Knex', async (url, connections) => {
  const db = openKnex(url, connections);
  return {
    run: (org, work, options) => withTenant(db, org, work, options),
    current: () => tenantsOf(db).current(),
    add: (trx, id) => trx('notes').insert({ id }),
    ids: (trx) => trx('notes').orderBy('id').pluck('id'),
    sql: async (trx, statement) => (await trx.raw(statement)).rows,
    inSavepoint: (trx, work) => trx.transaction(work),
    outside: db,
    close: () => db.destroy(),
  };
});

describe('a transaction of Knex for a tenant', () => {
  let db: Knex;
  beforeEach(() => {
    db = openKnex(fleet().testDatabase.url, 1);
  });
  afterEach(() => db.destroy());

  test('has the builders, batchInsert, the schema builder, streams and the events of Knex', async () => {
    const sent: string[] = [];
    db.on('query', ({ sql }: { sql: string }) => sent.push(sql));
    await withTenant(db, 'org_a', async (trx) => {
      await trx.batchInsert('notes', [{ id: 1 }, { id: 2 }, { id: 3 }], 2);
      await trx.schema.createTable('drafts', (table) => table.integer('id').primary());
      const ids: number[] = [];
      for await (const { id } of trx('notes').orderBy('id').stream() as AsyncIterable<{ id: number }>)
        ids.push(id);
      expect(ids).toEqual([1, 2, 3]);
      expect(await trx.schema.hasTable('drafts')).toBe(true);
      await trx.schema.dropTable('drafts');
      expect(trx.isCompleted()).toBe(false);
      expect(await db('notes').transacting(trx).first()).toEqual({ id: 1 });
    });
    expect(sent).toContain('BEGIN;');
    expect(sent.at(-1)).toBe('COMMIT;');
  });

  test('tells of its end when the server has committed, and of no end if that failed', async () => {
    const url = fleet().testDatabase.url;
    const other = openKnex(url, 1);
    try {
      let seen: Promise<unknown> | undefined;
      const trx = await withTenant(db, 'org_a', async (trx) => {
        await trx('notes').insert({ id: 1 });
        seen = trx.executionPromise.then(() =>
          withTenant(other, 'org_a', (again) => again('notes').pluck('id')),
        );
        return trx;
      });
      expect(await seen).toEqual([1]);
      expect(trx.isCompleted()).toBe(true);
      await expect(trx('notes')).rejects.toThrow(/already complete/);

      let outcome: Promise<unknown> | undefined;
      const failing = withTenant(db, 'org_a', async (trx) => {
        await trx.raw('CREATE TABLE later (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)');
        await trx.raw('INSERT INTO later VALUES (1), (1)');
        outcome = trx.executionPromise.then(
          () => 'committed',
          () => 'rolled back',
        );
      });
      await expect(failing).rejects.toMatchObject({ code: '23505' });
      expect(await outcome).toBe('rolled back');
    } finally {
      await other.destroy();
    }
  });

  test.for(['commit', 'rollback'] as const)('is not ended by %s', async (end) => {
    const ending = withTenant(db, 'org_a', async (trx) => {
      await trx('notes').insert({ id: 1 });
      await trx[end]();
      await trx('notes').insert({ id: 2 });
    });
    await expect(ending).rejects.toMatchObject({ code: 'SESSION_STATE' });
    expect(await withTenant(db, 'org_a', (trx) => trx('notes').pluck('id'))).toEqual([]);
  });

  test('a stream that is refused fails', async () => {
    await withTenant(db, 'org_a', async (trx) => {
      await expect(text(trx.raw('LISTEN news').stream())).rejects.toMatchObject({ code: 'SESSION_STATE' });
    });
  });

  test.for([false, true])('a query’s own timeout ends the call at once (cancel: %s)', async (cancel) => {
    const began = performance.now();
    const late = withTenant(db, 'org_a', (trx) => trx.raw('SELECT pg_sleep(30)').timeout(200, { cancel }));
    await expect(late).rejects.toThrow(/timeout/);
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(await withTenant(db, 'org_b', (trx) => trx('notes').pluck('id'))).toEqual([]);
  });

  test('what is no Knex for pg, or a transaction, is refused', async () => {
    const sqlite = knex({ client: class extends knex.Client {} });
    await expect(withTenant(sqlite, 'org_a', () => Promise.resolve())).rejects.toMatchObject({
      code: 'USAGE',
    });
    const within = db.transaction((trx) => withTenant(trx, 'org_a', () => Promise.resolve()));
    await expect(within).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('its options are given once', async () => {
    const tenants = tenantsOf(db, { atLeast: '9_later' });
    expect(tenantsOf(db)).toBe(tenants);
    expect(tenantsOf(db, { atLeast: '9_later' })).toBe(tenants);
    expect(() => tenantsOf(db, { cacheMs: 5 })).toThrow(/other options/);
    await expect(withTenant(db, 'org_a', () => Promise.resolve())).rejects.toMatchObject({
      code: 'TENANT_BEHIND',
    });
  });
});

test.for([
  ['0.95', oldest as unknown as typeof knex],
  ['1', knex1 as unknown as typeof knex],
  ['2', knex2 as unknown as typeof knex],
] as const)('withTenant takes a Knex %s', async ([, from]) => {
  const db = openKnex(fleet().testDatabase.url, 2, from);
  try {
    await withTenant(db, 'org_a', async (trx) => {
      await trx('notes').insert({ id: 1 });
      const failing = trx.transaction((inner) => inner('notes').insert({ id: 1 }));
      await expect(failing).rejects.toMatchObject({ code: '23505' });
    });
    await expect(
      withTenant(db, 'org_a', async (trx) => {
        await trx('notes').delete();
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await withTenant(db, 'org_a', (trx) => trx('notes').pluck('id'))).toEqual([1]);
    expect(await db('notes').pluck('id')).toEqual([-1]);
  } finally {
    await db.destroy();
  }
});
