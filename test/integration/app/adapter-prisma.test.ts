import { PrismaPg } from '@prisma/adapter-pg';
import { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { describeAdapter } from '../../support/adapter-contract.ts';
import { generatePrismaClient, type GeneratedClient } from '../../support/prisma-client.ts';
import { refusalOf } from '../../support/refusal.ts';
import { tenantAdapter, tenantsOf, withTenant } from '../../../src/app/prisma.ts';

const MODELS = `datasource db {
  provider = "postgresql"
}
enum Kind {
  SHORT
  LONG
}
model Note {
  id    Int    @id
  pages Page[]
  @@map("notes")
}
model Page {
  id     Int     @id @default(autoincrement())
  title  String?
  kind   Kind    @default(SHORT)
  noteId Int     @map("note_id")
  note   Note    @relation(fields: [noteId], references: [id])
  @@map("pages")
}
`;

/** What the tests use of the generated client. */
interface Handle {
  readonly note: {
    create(query: object): Promise<unknown>;
    findMany(query: object): Promise<{ id: number }[]>;
    findUnique(query: object): Promise<{ id: number } | null>;
  };
  readonly page: { findMany(query: object): Promise<unknown[]>; updateMany(query: object): Promise<unknown> };
  $queryRawUnsafe(text: string, ...values: unknown[]): Promise<unknown>;
  $executeRawUnsafe(text: string): Promise<number>;
}

interface Client extends Handle {
  $transaction<Result>(work: (tx: Handle) => Promise<Result>): Promise<Result>;
  $disconnect(): Promise<void>;
}

let generated: GeneratedClient<Client>;
beforeAll(async () => {
  generated = await generatePrismaClient<Client>(MODELS);
});
afterAll(() => generated.remove());

function openPrisma(connectionString: string, max: number) {
  const pool = new Pool({ connectionString, max });
  pool.on('error', () => {});
  const db = new generated.PrismaClient({ adapter: tenantAdapter(pool) });
  tenantsOf(db, { pool });
  const close = async () => {
    await db.$disconnect();
    await pool.end();
  };
  return { db, pool, close };
}

const { fleet } = describeAdapter<Handle>('Prisma', (url, connections) => {
  const { db, close } = openPrisma(url, connections);
  return Promise.resolve({
    run: (org, work, options) => withTenant(db, org, work, options),
    current: () => tenantsOf(db).current(),
    add: (tx, id) => tx.note.create({ data: { id } }),
    ids: async (tx) => (await tx.note.findMany({ orderBy: { id: 'asc' } })).map(({ id }) => id),
    sql: (tx, text) => tx.$queryRawUnsafe(text),
    inSavepoint: async (tx, work) => {
      await tx.$executeRawUnsafe('SAVEPOINT before');
      try {
        await work(tx);
      } catch (error) {
        await tx.$executeRawUnsafe('ROLLBACK TO SAVEPOINT before');
        throw error;
      }
    },
    outside: db,
    close,
  });
});

describe('a transaction of Prisma for a tenant', () => {
  test('has nested writes, relations, enums and raw queries of Prisma', async () => {
    const { db, close } = openPrisma(fleet().testDatabase.url, 2);
    onTestFinished(close);
    const pages = (org: string) =>
      withTenant(db, org, async (tx) => {
        await tx.$executeRawUnsafe(`CREATE TYPE "Kind" AS ENUM ('SHORT', 'LONG')`);
        await tx.$executeRawUnsafe(
          `CREATE TABLE pages (id serial PRIMARY KEY, title text, kind "Kind" NOT NULL, note_id int REFERENCES notes)`,
        );
        await tx.note.create({ data: { id: 1, pages: { create: [{ title: org }, { kind: 'LONG' }] } } });
        await tx.page.updateMany({ where: { kind: 'LONG' }, data: { title: 'long' } });
        const found = await tx.note.findMany({ include: { pages: { orderBy: { id: 'asc' } } } });
        const raw = await tx.$queryRawUnsafe('SELECT title FROM pages WHERE id = $1', 1);
        await tx.$executeRawUnsafe('DROP TABLE pages; ').catch(() => {});
        await tx.$executeRawUnsafe('DROP TYPE "Kind"');
        return { found, raw };
      });
    const seen = await Promise.all([pages('org_a'), pages('org_b')]);
    expect(seen).toMatchObject(
      ['org_a', 'org_b'].map((org) => ({
        found: [
          {
            id: 1,
            pages: [
              { id: 1, title: org, kind: 'SHORT' },
              { id: 2, title: 'long', kind: 'LONG' },
            ],
          },
        ],
        raw: [{ title: org }],
      })),
    );
  });

  test('what Prisma would gather into one query stays with each tenant', async () => {
    const { db, close } = openPrisma(fleet().testDatabase.url, 3);
    onTestFinished(close);
    await withTenant(db, 'org_a', (tx) => tx.note.create({ data: { id: 1 } }));
    const find = (handle: Handle) =>
      Promise.all([1, 2].map((id) => handle.note.findUnique({ where: { id } })));
    const [a, b, outside] = await Promise.all([
      withTenant(db, 'org_a', find),
      withTenant(db, 'org_b', find),
      find(db),
    ]);
    expect({ a, b, outside }).toEqual({ a: [{ id: 1 }, null], b: [null, null], outside: [null, null] });
  });

  test('within the work, the client itself and its transactions stay outside of the tenant', async () => {
    const { db, close } = openPrisma(fleet().testDatabase.url, 2);
    onTestFinished(close);
    const ids = (handle: Handle) => handle.note.findMany({});
    await withTenant(db, 'org_a', async (tx) => {
      expect(await ids(db)).toEqual([{ id: -1 }]);
      expect(await db.$transaction(ids)).toEqual([{ id: -1 }]);
      expect(await ids(tx)).toEqual([]);
    });
  });

  test('needs its adapter, and the pool', async () => {
    const pool = new Pool({ connectionString: fleet().testDatabase.url });
    onTestFinished(() => pool.end());
    const plain = new generated.PrismaClient({ adapter: new PrismaPg(pool) });
    expect((await refusalOf(withTenant(plain, 'org_a', () => Promise.resolve()))).hint).toContain('{ pool }');
    tenantsOf(plain, { pool });
    const refusal = await refusalOf(withTenant(plain, 'org_a', () => Promise.resolve()));
    expect(refusal).toMatchObject({ code: 'USAGE', hint: expect.stringContaining('tenantAdapter') });
    await plain.$disconnect();
  });
});
