import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolClient } from 'pg';
import { isStopped, type RunContext } from '../run/run-context.ts';
import type { Migration } from '../files/load.ts';
import { tryLock } from '../../db/advisory-lock.ts';

const POLL_MS = 25;

/** The longest wait in an open transaction. After that, the tenant is retried later, as if busy. */
const LONGEST_WAIT_MS = 10_000;

/** Whether any of them has an allowOutside. */
export function reachesOutside(migrations: readonly Pick<Migration, 'allowOutside'>[]): boolean {
  return migrations.some(({ allowOutside }) => allowOutside.length > 0);
}

/**
 * Takes the lock for migrations that reach outside: one tenant per database at a time, in all processes.
 * Polls, for the reason given at tryLock. @returns false on timeout, or if the run was stopped
 */
export async function waitForOutside(context: RunContext, client: PoolClient): Promise<boolean> {
  const deadline = performance.now() + LONGEST_WAIT_MS;
  for (;;) {
    const { rows } = await client.query<{ locked: boolean }>(`SELECT ${tryLock('outside')} AS locked`);
    if (rows[0]?.locked === true) return true;
    if (isStopped(context) || performance.now() >= deadline) return false;
    await sleep(POLL_MS);
  }
}
