import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { onTestFinished } from 'vitest';
import type { TestServerDatabase } from './database.ts';

/** Holds up every migration that has WAIT_AT_GATE in it, until it is opened: so a test can look at work in progress. */
export interface Gate {
  /** Resolves when that many migrations stand before the gate. */
  reached(count?: number): Promise<void>;
  /** How many stand before it now. */
  waiting(): Promise<number>;
  open(): Promise<void>;
}

/** SQL for a migration: it waits here while the gate is closed. */
export const WAIT_AT_GATE = 'SELECT pg_advisory_xact_lock_shared(4711);';

/** Closes the gate of a database. It is opened at the latest when the test is over. */
export async function closeGate(testDatabase: TestServerDatabase): Promise<Gate> {
  const keeper = new Client({ connectionString: testDatabase.url, application_name: 'gate' });
  keeper.on('error', () => {});
  await keeper.connect();
  await keeper.query('SELECT pg_advisory_lock(4711)');
  onTestFinished(() => keeper.end());
  const waiting = async () => {
    const { rows } = await keeper.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_locks
       WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    return rows[0]?.n ?? 0;
  };
  return {
    waiting,
    reached: (count = 1) =>
      until(async () => (await waiting()) >= count, `${count} migrations before the gate`),
    async open() {
      await keeper.query('SELECT pg_advisory_unlock_all()');
    },
  };
}

/** Asks again and again until the answer is yes; fails after thirty seconds, saying what was waited for. */
export async function until(ask: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await ask())) {
    if (Date.now() > deadline) throw new Error(`Waited in vain for ${what}.`);
    await sleep(15);
  }
}
