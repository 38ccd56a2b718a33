import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';

/** What was seen of tenantctl's backends while something ran. */
export interface BackendsSeen {
  /** The process ids of all that there were. */
  readonly pids: ReadonlySet<number>;
  /** The most locks on tables and indexes that one of them held at once. */
  readonly mostLocks: number;
  /** Milliseconds for which one transaction was open at most. */
  readonly longestTransactionMs: number;
  /** How long all of it took, in milliseconds. */
  readonly durationMs: number;
}

/** Milliseconds between two looks. */
const EVERY_MS = 30;

/** Looks at tenantctl's backends from a session of its own, again and again while `work` is done. */
export async function watchBackends<T>(
  url: string,
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly seen: BackendsSeen }> {
  const client = new Client({ connectionString: url, application_name: 'watcher' });
  await client.connect();
  const pids = new Set<number>();
  let mostLocks = 0;
  let longestTransactionMs = 0;
  const over = new AbortController();
  const look = async () => {
    while (!over.signal.aborted) {
      // One scan of the locks for all of them: it holds up whoever wants one.
      const { rows } = await client.query<{ pid: number; locks: number; open_ms: number }>(
        `SELECT a.pid, coalesce(extract(epoch FROM clock_timestamp() - a.xact_start) * 1000, 0)::float8 AS open_ms,
                coalesce(l.locks, 0)::int AS locks
         FROM pg_stat_activity a
         LEFT JOIN (SELECT pid, count(*) AS locks FROM pg_locks WHERE locktype = 'relation' GROUP BY pid) l USING (pid)
         WHERE a.application_name = 'tenantctl' AND a.datname = current_database()`,
      );
      for (const row of rows) {
        pids.add(row.pid);
        mostLocks = Math.max(mostLocks, row.locks);
        longestTransactionMs = Math.max(longestTransactionMs, row.open_ms);
      }
      await sleep(EVERY_MS);
    }
  };
  const started = performance.now();
  const looking = look();
  try {
    const value = await work();
    return {
      value,
      seen: {
        pids,
        mostLocks,
        longestTransactionMs,
        durationMs: performance.now() - started,
      },
    };
  } finally {
    over.abort();
    await looking.catch(() => {});
    await client.end();
  }
}
