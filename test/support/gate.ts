import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { onTestFinished } from 'vitest';
import type { TestServerDatabase } from './database.ts';

/** Blocks migrations that contain WAIT_AT_GATE, so that a test can inspect work in progress. */
export interface Gate {
  /** Resolves when this many migrations wait at the gate. */
  reached(count?: number): Promise<void>;
  waiting(): Promise<number>;
  open(): Promise<void>;
}

/** SQL that waits while the gate is closed. */
export const WAIT_AT_GATE = 'SELECT pg_advisory_xact_lock_shared(4711);';

/** For a FROM clause: the locks of the backends that wait at this database's gate. pg_locks shows those of all databases. */
export const WAITING_AT_GATE = `pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

/** Closes a database's gate. It opens when the test ends at the latest. */
export async function closeGate(testDatabase: TestServerDatabase): Promise<Gate> {
  const keeper = new Client({ connectionString: testDatabase.url, application_name: 'gate' });
  keeper.on('error', () => {});
  await keeper.connect();
  await keeper.query('SELECT pg_advisory_lock(4711)');
  onTestFinished(() => keeper.end());
  const waiting = async () => {
    const { rows } = await keeper.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${WAITING_AT_GATE}`);
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

/** Polls until true; after thirty seconds fails and names what was awaited. */
export async function until(ask: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await ask())) {
    if (Date.now() > deadline) throw new Error(`Waited in vain for ${what}.`);
    await sleep(15);
  }
}
