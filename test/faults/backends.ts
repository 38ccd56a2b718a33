import { setTimeout as sleep } from 'node:timers/promises';
import type { Databases, FaultDatabase } from './databases.ts';

/** Milliseconds within which the server must notice a lost client and finish its work. */
const GONE_WITHIN_MS = 75_000;

const LOOK_EVERY_MS = 50;

/**
 * Waits until no backend is active or in a transaction: one whose client has died continues for a while.
 * @returns the activity of those that remain at the timeout
 */
export async function untilNobodyIsAtWork(databases: Databases, database: FaultDatabase): Promise<string[]> {
  return until(
    databases,
    `SELECT format('process %s, %s, since %s: %s', pid, state, xact_start, query) AS backend FROM pg_stat_activity
     WHERE datname = '${database.name}' AND (state <> 'idle' OR xact_start IS NOT NULL)`,
  );
}

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
