import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { dropTenants } from '../../../src/core/tenant/drop.ts';
import { createFleet } from '../../support/fleet.ts';

const OTHERS = 50;
const LOCK_TIMEOUT_MS = 500;
const organizations = Array.from({ length: OTHERS + 2 }, (_, nth) => `org_${nth}`);

/** 25 tables, most of them with a foreign key to one of three shared tables, and rows. */
const tables = (schema: string) =>
  Array.from(
    { length: 25 },
    (
      _,
      nth,
    ) => `CREATE TABLE ${schema}.t${nth} (id int PRIMARY KEY, shared int REFERENCES public.shared${nth % 3}, body text);
      INSERT INTO ${schema}.t${nth} SELECT i, i, repeat('x', 100) FROM generate_series(1, 100) i;`,
  ).join('\n');

test('while tenants are dropped, no query of fifty others at work waits longer than the lock timeout', async () => {
  const fleet = await createFleet(organizations, { maxConnections: 6 });
  const { database, query, testDatabase } = fleet;
  await query(
    [0, 1, 2]
      .map(
        (nth) =>
          `CREATE TABLE public.shared${nth} (id int PRIMARY KEY, n int); INSERT INTO public.shared${nth} SELECT i, 0 FROM generate_series(1, 100) i;`,
      )
      .join('\n'),
  );
  for (const organization of organizations) await query(tables(schemaNameFor(organization)));

  const over = new AbortController();
  let waits: number[] = [];
  /** Joins a table with a shared one, writes a row with a foreign key, and now and then keeps its transaction open. */
  const work = async (client: Client, lane: number) => {
    const schema = schemaNameFor(`org_${2 + lane}`);
    for (let turn = lane; !over.signal.aborted; turn += 1) {
      const nth = turn % 25;
      const statements = [
        'BEGIN',
        `SELECT count(*) FROM ${schema}.t${nth} t JOIN public.shared${nth % 3} s ON s.id = t.shared`,
        `INSERT INTO ${schema}.t${nth} VALUES (${1000 + turn}, ${1 + (turn % 100)}) ON CONFLICT DO NOTHING`,
        `UPDATE public.shared${(nth + 1) % 3} SET n = n + 1 WHERE id = ${1 + lane}`,
      ];
      for (const statement of statements) {
        const begun = performance.now();
        await client.query(statement);
        waits.push(performance.now() - begun);
      }
      if (turn % 5 === 0) await sleep(60);
      await client.query('COMMIT');
      await sleep(50);
    }
  };
  const clients = await Promise.all(
    Array.from({ length: OTHERS }, async () => {
      const client = new Client({ connectionString: testDatabase.url });
      await client.connect();
      onTestFinished(() => client.end());
      return client;
    }),
  );
  const lanes = clients.map(work);
  // How long a query takes here anyway: the machine may be busy with other things.
  await expect.poll(() => waits.length).toBeGreaterThan(1000);
  const usual = Math.max(...waits);
  waits = [];
  const { tenants } = await dropTenants(database, ['org_0', 'org_1'], {
    lockTimeoutMs: LOCK_TIMEOUT_MS,
    retries: 20,
  });
  over.abort();
  await Promise.all(lanes);

  expect(tenants.map(({ outcome }) => outcome)).toEqual(['dropped', 'dropped']);
  expect(waits.length).toBeGreaterThan(500);
  expect(Math.max(...waits)).toBeLessThan(LOCK_TIMEOUT_MS * 1.5 + usual * 3);
}, 120_000);
