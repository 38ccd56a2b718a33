import { setTimeout as sleep } from 'node:timers/promises';
import type { Databases, FaultDatabase } from './databases.ts';

/** Milliseconds within which the server must have noticed that a client is gone, and be done with its work. */
const GONE_WITHIN_MS = 75_000;

const LOOK_EVERY_MS = 50;

/**
 * Waits until no backend is at work on a database, nor in a transaction: one whose client has died goes on for a while.
 * @returns what those are at that are still there when the time is over
 */
export async function untilNobodyIsAtWork(databases: Databases, database: FaultDatabase): Promise<string[]> {
  return until(
    databases,
    `SELECT format('process %s, %s, since %s: %s', pid, state, xact_start, query) AS backend FROM pg_stat_activity
     WHERE datname = '${database.name}' AND (state <> 'idle' OR xact_start IS NOT NULL)`,
  );
}

/** Waits until nobody is connected to a database. */
export async function untilNobodyIsConnected(
  databases: Databases,
  database: FaultDatabase,
): Promise<string[]> {
  return until(
    databases,
    `SELECT format('process %s, %s', pid, state) AS backend FROM pg_stat_activity WHERE datname = '${database.name}'`,
  );
}

async function until({ query }: Databases, backends: string): Promise<string[]> {
  const deadline = performance.now() + GONE_WITHIN_MS;
  for (;;) {
    const rows = await query<{ backend: string }>(backends);
    if (rows.length === 0 || performance.now() > deadline) return rows.map(({ backend }) => backend);
    await sleep(LOOK_EVERY_MS);
  }
}
