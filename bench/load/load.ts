import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { BenchTenant } from '../fleet/tenants.ts';

/** An application at work: readers and writers of tenants' tables. */
const CLIENTS = 8;

/** A pace that leaves half of a small machine idle: what waits then waits for somebody, and not for a core. */
const PER_SECOND = 200;

/** How long the application's queries took. */
export interface Latencies {
  /** Milliseconds of each, from when it was due: what queued behind a slow one counts. Ascending. */
  readonly ms: readonly number[];
  /** Messages of the queries that failed. */
  readonly errors: readonly string[];
}

/**
 * Reads and writes the `chat_messages` of tenants chosen at random, at a steady pace, for as long as `work` takes, and
 * at least so many milliseconds.
 */
export async function underLoad(
  url: string,
  tenants: readonly BenchTenant[],
  work: () => Promise<unknown>,
  atLeastMs = 0,
): Promise<Latencies> {
  const over = new AbortController();
  const ms: number[] = [];
  const errors: string[] = [];
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const client = new Client({ connectionString: url, application_name: 'application' });
      client.on('error', (error) => errors.push(error.message));
      await client.connect();
      return client;
    }),
  );
  const interval = (1000 * CLIENTS) / PER_SECOND;
  const began = performance.now();
  const drive = async (client: Client, nth: number) => {
    for (let due = began + (nth * interval) / CLIENTS; !over.signal.aborted; due += interval) {
      const early = due - performance.now();
      if (early > 0) await sleep(early);
      const tenant = tenants[Math.floor(Math.random() * tenants.length)];
      await client.query(queryOn(tenant?.schema ?? '', Math.random() < 0.5)).catch((error: unknown) => {
        errors.push(String(error));
      });
      ms.push(performance.now() - due);
    }
  };
  const driving = clients.map(drive);
  try {
    await work();
    await sleep(Math.max(0, began + atLeastMs - performance.now()));
  } finally {
    over.abort();
    await Promise.all(driving);
    for (const client of clients) await client.end();
  }
  return { ms: ms.toSorted((a, b) => a - b), errors };
}

/** @param schema of the benchmark's own making: hexadecimal digits */
function queryOn(schema: string, isRead: boolean): string {
  return isRead
    ? `SELECT id, role, content FROM ${schema}.chat_messages WHERE session_id = 'one' ORDER BY created_at DESC LIMIT 20`
    : `INSERT INTO ${schema}.chat_messages (session_id, role, content) VALUES ('one', 'user', 'a question')`;
}

/** The time within which that share of the queries was answered, milliseconds. @param share from 0 to 1 */
export function percentile({ ms }: Latencies, share: number): number {
  return ms[Math.min(ms.length - 1, Math.floor(ms.length * share))] ?? Number.NaN;
}
