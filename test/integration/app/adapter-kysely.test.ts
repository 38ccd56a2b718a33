import { CamelCasePlugin, Kysely, PostgresDialect, sql, type ControlledTransaction } from 'kysely';
import { Pool } from 'pg';
import Cursor from 'pg-cursor';
import { describe, expect, onTestFinished, test } from 'vitest';
import { describeAdapter } from '../../support/adapter-contract.ts';
import { refusalOf } from '../../support/refusal.ts';
import { tenantsOf, withTenant } from '../../../src/app/kysely.ts';

interface Database {
  notes: { id: number };
  pages: { id: number; pageTitle: string | null };
}

function openKysely(connectionString: string, max: number) {
  const pool = new Pool({ connectionString, max });
  pool.on('error', () => {});
  const dialect = new PostgresDialect({ pool, cursor: Cursor });
  return { db: new Kysely<Database>({ dialect, plugins: [new CamelCasePlugin()] }), pool };
}

const { fleet } = describeAdapter<Kysely<Database>>('Kysely', (url, connections) => {
  const { db, pool } = openKysely(url, connections);
  tenantsOf(db, { pool, cursor: Cursor });
  return Promise.resolve({
    run: (org, work, options) => withTenant(db, org, work, options),
    current: () => tenantsOf(db).current(),
    add: (trx, id) => trx.insertInto('notes').values({ id }).execute(),
    ids: async (trx) =>
      (await trx.selectFrom('notes').select('id').orderBy('id').execute()).map(({ id }) => id),
    sql: async (trx, text) => (await sql.raw(text).execute(trx)).rows,
    async inSavepoint(trx, work) {
      const controlled = trx as ControlledTransaction<Database>;
      const saved = await controlled.savepoint('before').execute();
      try {
        await work(saved);
      } catch (error) {
        await saved.rollbackToSavepoint('before').execute();
        throw error;
      }
    },
    outside: db,
    close: () => db.destroy(),
  });
});

describe('a transaction of Kysely for a tenant', () => {
  test('has the plugins, streams, schema builder and schemas of Kysely', async () => {
    const { db, pool } = openKysely(fleet().testDatabase.url, 1);
    onTestFinished(() => db.destroy());
    const sent: string[] = [];
    tenantsOf(db, { pool, cursor: Cursor, log: ({ query }) => void sent.push(query.sql) });
    await withTenant(db, 'org_a', async (trx) => {
      await trx.schema
        .createTable('pages')
        .addColumn('id', 'integer')
        .addColumn('pageTitle', 'text')
        .execute();
      await trx
        .insertInto('pages')
        .values([
          { id: 1, pageTitle: 'a' },
          { id: 2, pageTitle: null },
        ])
        .execute();
      const seen: unknown[] = [];
      for await (const page of trx.selectFrom('pages').selectAll().orderBy('id').stream(1)) seen.push(page);
      expect(seen).toEqual([
        { id: 1, pageTitle: 'a' },
        { id: 2, pageTitle: null },
      ]);
      expect(await trx.withSchema('public').selectFrom('notes').selectAll().execute()).toEqual([{ id: -1 }]);
      expect(trx.isTransaction).toBe(true);
      await trx.schema.dropTable('pages').execute();
    });
    expect(sent).toContain('insert into "pages" ("id", "page_title") values ($1, $2), ($3, $4)');
  });

  test.for(['commit', 'rollback'] as const)('is not ended by %s', async (end) => {
    const { db, pool } = openKysely(fleet().testDatabase.url, 1);
    onTestFinished(() => db.destroy());
    tenantsOf(db, { pool });
    const ending = withTenant(db, 'org_a', async (trx) => {
      await trx.insertInto('notes').values({ id: 1 }).execute();
      await trx[end]().execute();
    });
    expect((await refusalOf(ending)).code).toBe('SESSION_STATE');
    expect(await withTenant(db, 'org_a', (trx) => trx.selectFrom('notes').selectAll().execute())).toEqual([]);
  });

  test('needs the pool, which is named once', async () => {
    const { db, pool } = openKysely(fleet().testDatabase.url, 1);
    onTestFinished(() => db.destroy());
    const refusal = await refusalOf(withTenant(db, 'org_a', () => Promise.resolve()));
    expect(refusal).toMatchObject({
      code: 'USAGE',
      hint: expect.stringContaining('tenantsOf(db, { pool })'),
    });
    tenantsOf(db, { pool });
    expect(await withTenant(db, 'org_a', () => Promise.resolve(1))).toBe(1);
  });
});
