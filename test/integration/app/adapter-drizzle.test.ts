import { relations, sql } from 'drizzle-orm';
import { Cache } from 'drizzle-orm/cache/core';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import { integer, pgSchema, pgTable, text } from 'drizzle-orm/pg-core';
import { Pool } from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { describeAdapter } from '../../support/adapter-contract.ts';
import { refusalOf } from '../../support/refusal.ts';
import { tenantsOf, withTenant } from '../../../src/app/drizzle.ts';

const notes = pgTable('notes', { id: integer().primaryKey() });
const plans = pgSchema('billing').table('plans', { id: integer().primaryKey() });
const pages = pgTable('pages', { id: integer().primaryKey(), noteId: integer().references(() => notes.id) });
const tags = pgTable('page_tags', { pageId: integer().references(() => pages.id), tagName: text() });
const schema = {
  notes,
  pages,
  tags,
  pageRelations: relations(pages, ({ many }) => ({ tags: many(tags) })),
  tagRelations: relations(tags, ({ one }) => ({
    page: one(pages, { fields: [tags.pageId], references: [pages.id] }),
  })),
};

function openPoolOf(connectionString: string, max: number): Pool {
  const pool = new Pool({ connectionString, max });
  pool.on('error', () => {});
  return pool;
}

/** A cache of everything, in memory. */
class Everything extends Cache {
  readonly #answers = new Map<string, unknown[]>();
  readonly written: unknown[] = [];
  strategy() {
    return 'all' as const;
  }
  async get(key: string) {
    return this.#answers.get(key);
  }
  async put(key: string, answer: unknown[]) {
    this.#answers.set(key, answer);
  }
  async onMutate({ tables }: { tables?: unknown }) {
    this.written.push(tables);
  }
}

const { fleet } = describeAdapter<NodePgDatabase<typeof schema>>('Drizzle', (url, connections) => {
  const pool = openPoolOf(url, connections);
  const db = drizzle({ client: pool, schema, casing: 'snake_case' });
  return Promise.resolve({
    run: (org, work, options) => withTenant(db, org, work, options),
    current: () => tenantsOf(db).current(),
    add: (tx, id) => tx.insert(notes).values({ id }),
    ids: async (tx) => (await tx.select().from(notes).orderBy(notes.id)).map(({ id }) => id),
    sql: async (tx, statement) => (await tx.execute(sql.raw(statement))).rows,
    inSavepoint: (tx, work) => tx.transaction(work),
    outside: db,
    close: () => pool.end(),
  });
});

describe('a transaction of Drizzle for a tenant', () => {
  test('has the relations, casing, logger and schemas of Drizzle', async () => {
    const pool = openPoolOf(fleet().testDatabase.url, 1);
    onTestFinished(() => pool.end());
    const sent: string[] = [];
    const logger = { logQuery: (query: string) => sent.push(query) };
    const db = drizzle({ client: pool, schema, casing: 'snake_case', logger });
    await withTenant(db, 'org_a', async (tx) => {
      await tx.execute(sql`CREATE TABLE pages (id int PRIMARY KEY, note_id int REFERENCES notes)`);
      await tx.execute(sql`CREATE TABLE page_tags (page_id int REFERENCES pages, tag_name text)`);
      await tx.insert(notes).values({ id: 1 });
      await tx.insert(pages).values({ id: 1, noteId: 1 });
      await tx.insert(tags).values({ pageId: 1, tagName: 'a' });
      expect(await tx.query.pages.findMany({ with: { tags: true } })).toEqual([
        { id: 1, noteId: 1, tags: [{ pageId: 1, tagName: 'a' }] },
      ]);
      await tx.execute(sql`CREATE SCHEMA billing CREATE TABLE plans (id int PRIMARY KEY)`);
      expect(await tx.select().from(plans)).toEqual([]);
      await tx.execute(sql`DROP SCHEMA billing CASCADE`);
      expect(await tx.$count(notes)).toBe(1);
      await tx.execute(sql`DROP TABLE page_tags, pages`);
    });
    expect(sent).toContain('insert into "page_tags" ("page_id", "tag_name") values ($1, $2)');
  });

  test('refuses a named statement, and ends with the error of tx.rollback()', async () => {
    const pool = openPoolOf(fleet().testDatabase.url, 1);
    onTestFinished(() => pool.end());
    const db = drizzle({ client: pool });
    await withTenant(db, 'org_a', async (tx) => {
      await expect(tx.select().from(notes).prepare('all_notes').execute()).rejects.toMatchObject({
        cause: { code: 'SESSION_STATE' },
      });
    });
    const error = await withTenant(db, 'org_a', async (tx) => tx.rollback()).catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ message: 'Rollback' });
  });

  test('takes no answer from a cache, which would be another tenant’s', async () => {
    const pool = openPoolOf(fleet().testDatabase.url, 1);
    onTestFinished(() => pool.end());
    const cache = new Everything();
    const db = drizzle({ client: pool, cache });
    const ids = (org: string) => withTenant(db, org, (tx) => tx.select().from(notes));
    await withTenant(db, 'org_a', (tx) => tx.insert(notes).values({ id: 1 }));
    expect(await ids('org_a')).toEqual([{ id: 1 }]);
    expect(await ids('org_b')).toEqual([]);
    expect(cache.written).toEqual([['notes']]);
    expect(await db.select().from(notes)).toEqual([{ id: -1 }]);
  });

  test('what is no Drizzle on a pool of pg is refused', async () => {
    const db = drizzle.mock();
    expect((await refusalOf(withTenant(db, 'org_a', () => Promise.resolve()))).code).toBe('USAGE');
  });
});
