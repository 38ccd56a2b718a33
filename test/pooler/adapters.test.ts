import { drizzle } from 'drizzle-orm/node-postgres';
import { sql as drizzleSql } from 'drizzle-orm';
import knex from 'knex';
import { Kysely, PostgresDialect, sql as kyselySql } from 'kysely';
import { Pool } from 'pg';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import * as ofDrizzle from '../../src/app/drizzle.ts';
import * as ofKnex from '../../src/app/knex.ts';
import * as ofKysely from '../../src/app/kysely.ts';
import * as ofPrisma from '../../src/app/prisma.ts';
import { openTenants } from '../../src/app/tenants.ts';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { createPooledFleet, type PooledFleet } from '../support/pooled-fleet.ts';
import { generatePrismaClient, type GeneratedClient } from '../support/prisma-client.ts';

const ORGS = Array.from({ length: 20 }, (_, nth) => `org_${String(nth).padStart(2, '0')}`);
const CALLS = 1_000;

/** One statement of a call. @returns its rows */
type Send = (text: string) => Promise<readonly { org: string }[]>;
type Run = (org: string, work: (send: Send) => Promise<string[]>, signal?: AbortSignal) => Promise<string[]>;

/** What a call does besides its own reading and writing. */
const DISTURBANCES: readonly ((send: Send) => Promise<unknown>)[] = [
  () => Promise.resolve(),
  () => Promise.reject(new Error('no')),
  (send) => send('SELECT 1/0'),
  (send) => send('SELECT pg_sleep(60)'),
  (send) => send("SELECT set_config('search_path', 'public', false)"),
  async (send) => {
    await send('SAVEPOINT s');
    await send('SET search_path TO public');
    await send('SELECT 1/0').catch(() => {});
    await send('ROLLBACK TO SAVEPOINT s');
  },
  (send) => send('SET search_path TO public').then(() => Promise.reject(new Error('no'))),
  (send) => send('LISTEN news').catch(() => {}),
];
const SLEEPS = 3;

/** @returns how many calls saw another tenant's rows, and how many ended well */
async function callAll(run: Run): Promise<{ wrong: number; done: number }> {
  let [next, wrong, done] = [0, 0, 0];
  const callNext = async () => {
    for (let nth = next++; nth < CALLS; nth = next++) {
      const org = ORGS[nth % ORGS.length] ?? '';
      const disturb = (nth * 7) % DISTURBANCES.length;
      const work = async (send: Send) => {
        const before = await send('SELECT org FROM marks');
        await send(`INSERT INTO marks VALUES ('${org}')`);
        await DISTURBANCES[disturb]?.(send);
        return [...before].map((row) => row.org);
      };
      const signal = disturb === SLEEPS ? AbortSignal.timeout(20) : undefined;
      const seen = await run(org, work, signal).catch(() => undefined);
      if (seen !== undefined) done += 1;
      if (seen?.some((mark) => mark !== org) === true) wrong += 1;
    }
  };
  await Promise.all(Array.from({ length: 12 }, callNext));
  return { wrong, done };
}

async function wrongMarks(fleet: PooledFleet): Promise<string[]> {
  const wrong: string[] = [];
  for (const org of ORGS)
    for (const { mark } of await fleet.query<{ mark: string }>(
      `SELECT org AS mark FROM ${schemaNameFor(org)}.marks WHERE org <> $1`,
      [org],
    ))
      wrong.push(`${org}: ${mark}`);
  for (const { mark } of await fleet.query<{ mark: string }>('SELECT org AS mark FROM public.marks'))
    wrong.push(`public: ${mark}`);
  return wrong;
}

/** What the test uses of a generated client. */
interface Prisma {
  $queryRawUnsafe(text: string): Promise<{ org: string }[]>;
  $transaction<Result>(work: (tx: Prisma) => Promise<Result>): Promise<Result>;
  $disconnect(): Promise<void>;
}

let generated: GeneratedClient<Prisma> | undefined;
afterAll(() => generated?.remove());

function openPool(connectionString: string): Pool {
  const pool = new Pool({ connectionString, max: 6 });
  pool.on('error', () => {});
  return pool;
}

interface Opened {
  run: Run;
  close: () => Promise<void>;
}

const WAYS: readonly { way: string; open: (url: string) => Opened | Promise<Opened> }[] = [
  {
    way: 'tenantctl/tenants',
    open(url) {
      const pool = openPool(url);
      const tenants = openTenants(pool);
      return {
        run: (org, work, signal) =>
          tenants.run(
            org,
            (client) => work(async (text) => (await client.query<{ org: string }>(text)).rows),
            {
              signal,
            },
          ),
        close: () => pool.end(),
      };
    },
  },
  {
    way: 'tenantctl/knex',
    open(url) {
      const db = knex({ client: 'pg', connection: url, pool: { min: 0, max: 6 } });
      return {
        run: (org, work, signal) =>
          ofKnex.withTenant(
            db,
            org,
            (trx) => work(async (text) => (await trx.raw<{ rows: { org: string }[] }>(text)).rows),
            { signal },
          ),
        close: () => db.destroy(),
      };
    },
  },
  {
    way: 'tenantctl/kysely',
    open(url) {
      const pool = openPool(url);
      const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
      ofKysely.tenantsOf(db, { pool });
      return {
        run: (org, work, signal) =>
          ofKysely.withTenant(
            db,
            org,
            (trx) => work(async (text) => (await kyselySql.raw<{ org: string }>(text).execute(trx)).rows),
            { signal },
          ),
        close: () => db.destroy(),
      };
    },
  },
  {
    way: 'tenantctl/drizzle',
    open(url) {
      const pool = openPool(url);
      const db = drizzle({ client: pool });
      return {
        run: (org, work, signal) =>
          ofDrizzle.withTenant(
            db,
            org,
            (tx) => work(async (text) => (await tx.execute<{ org: string }>(drizzleSql.raw(text))).rows),
            { signal },
          ),
        close: () => pool.end(),
      };
    },
  },
  {
    way: 'tenantctl/prisma',
    async open(url) {
      generated ??= await generatePrismaClient<Prisma>('datasource db {\n  provider = "postgresql"\n}');
      const pool = openPool(url);
      const db = new generated.PrismaClient({ adapter: ofPrisma.tenantAdapter(pool) });
      ofPrisma.tenantsOf(db, { pool });
      return {
        run: (org, work, signal) =>
          ofPrisma.withTenant(db, org, (tx) => work((text) => tx.$queryRawUnsafe(text)), { signal }),
        async close() {
          await db.$disconnect();
          await pool.end();
        },
      };
    },
  },
];

test.for(
  WAYS.flatMap((way) => [
    { ...way, through: 'directly' },
    { ...way, through: 'through PgBouncer' },
  ]),
)('1,000 calls of $way over 20 tenants $through never meet', async ({ open, through }) => {
  const fleet = await createPooledFleet(ORGS, { size: 4, lines: ['server_round_robin = 1'] });
  await fleet.query('CREATE TABLE public.marks (org text)');
  for (const org of ORGS) await fleet.query(`CREATE TABLE ${schemaNameFor(org)}.marks (org text)`);
  const { run, close } = await open(through === 'directly' ? fleet.testDatabase.url : fleet.pooler.url);
  onTestFinished(close);
  const { wrong, done } = await callAll(run);
  expect(wrong).toBe(0);
  expect(done).toBe(CALLS / 2);
  expect(await wrongMarks(fleet)).toEqual([]);
});
