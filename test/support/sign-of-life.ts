import { setTimeout as sleep } from 'node:timers/promises';
import type { Queries } from './queries.ts';

/** The time of the last statement of each transaction that waits for its client, by process id. */
export type Signs = Readonly<Record<string, string>>;

/**
 * Resolves when transactions of the database wait for their client, and have heard from it.
 * @param earlier what the last call returned: each must have heard from its client since
 */
export async function signsOfLife(query: Queries['query'], earlier: Signs = {}): Promise<Signs> {
  for (let turn = 0; turn < 400; turn += 1) {
    const [found] = await query<{ signs: Signs | null }>(
      `SELECT json_object_agg(pid, state_change) AS signs FROM pg_stat_activity
       WHERE datname = current_database() AND state = 'idle in transaction'`,
    );
    const signs = found?.signs ?? undefined;
    if (signs !== undefined && Object.entries(earlier).every(([pid, at]) => signs[pid] !== at)) return signs;
    await sleep(25);
  }
  throw new Error('A transaction has not heard from its client.');
}
