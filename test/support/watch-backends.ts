import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';

export interface BackendsSeen {
  readonly pids: ReadonlySet<number>;
  /** The most locks on tables and indexes that one backend held at once. */
  readonly mostLocks: number;
  /** Number of samples: unlike a clock, it does not advance while the machine stands still. */
  readonly looks: number;
  /** The most samples in which the same transaction was open. */
  readonly longestTransaction: number;
}

const EVERY_MS = 30;

/** Samples tenantctl's backends from a separate session while `work` runs. */
export async function watchBackends<T>(
  url: string,
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly seen: BackendsSeen }> {
  const client = new Client({ connectionString: url, application_name: 'watcher' });
  await client.connect();
  const pids = new Set<number>();
  let mostLocks = 0;
  let looks = 0;
  const opened = new Map<string, number>();
  const over = new AbortController();
  const look = async () => {
    while (!over.signal.aborted) {
      // One scan of the locks for all of them: it blocks those who want a lock.
      const { rows } = await client.query<{ pid: number; locks: number; since: string | null }>(
        `SELECT a.pid, a.xact_start::text AS since,
                coalesce(l.locks, 0)::int AS locks
         FROM pg_stat_activity a
         LEFT JOIN (SELECT pid, count(*) AS locks FROM pg_locks WHERE locktype = 'relation' GROUP BY pid) l USING (pid)
         WHERE a.application_name = 'tenantctl' AND a.datname = current_database()`,
      );
      looks += 1;
      for (const row of rows) {
        pids.add(row.pid);
        mostLocks = Math.max(mostLocks, row.locks);
        if (row.since === null) continue;
        const key = `${row.pid} ${row.since}`;
        opened.set(key, (opened.get(key) ?? 0) + 1);
      }
      await sleep(EVERY_MS);
    }
  };
  const looking = look();
  try {
    const value = await work();
    return {
      value,
      seen: {
        pids,
        mostLocks,
        looks,
        longestTransaction: Math.max(0, ...opened.values()),
      },
    };
  } finally {
    over.abort();
    await looking.catch(() => {});
    await client.end();
  }
}
