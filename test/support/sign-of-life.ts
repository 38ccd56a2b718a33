import { setTimeout as sleep } from 'node:timers/promises';
import type { Queries } from './queries.ts';

/**
 * Resolves when a transaction of the database waits for its client, and has heard from it.
 * @param earlier what the last call returned: it must have heard from it since
 * @returns the time of its last statement
 */
export async function signOfLife(query: Queries['query'], earlier?: string): Promise<string> {
  for (let turn = 0; turn < 400; turn += 1) {
    const [found] = await query<{ at: string }>(
      `SELECT state_change::text AS at FROM pg_stat_activity
       WHERE datname = current_database() AND state = 'idle in transaction'`,
    );
    if (found !== undefined && found.at !== earlier) return found.at;
    await sleep(25);
  }
  throw new Error('The transaction has not heard from its client.');
}
