import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolClient } from 'pg';
import { tryLock } from '../../db/transaction.ts';
import { isStopped, type RunContext } from '../run/run-context.ts';
import type { Migration } from '../files/load.ts';

const POLL_MS = 25;

/** Longer than this nobody waits in an open transaction: the tenant's turn comes later, as if another run had it. */
const LONGEST_WAIT_MS = 10_000;

/** Whether one of these migrations says that it reaches outside its tenant's schema. */
export function reachesOutside(migrations: readonly Pick<Migration, 'allowOutside'>[]): boolean {
  return migrations.some(({ allowOutside }) => allowOutside.length > 0);
}

/**
 * Waits until no other tenant's transaction in the database, whichever process it belongs to, runs migrations that reach
 * outside their schema, and keeps others from it until this transaction ends. It waits by asking again: see tryLock.
 * @returns false where it was not to be had in time, or the run was told to stop
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
