import type { Database } from '../db/connection.ts';
import type { Blocker } from '../errors.ts';
import type { Advance } from './migrations/assignment.ts';

/** Who stood in the way of this process's statements, as it was seen last. */
export interface BlockerWatch {
  /** Those that the backend with this process id waited for; empty where nobody was seen. */
  of(pid: number | undefined): readonly Blocker[];
  stop(): void;
}

/** How much of a blocking query is shown. */
const QUERY_LENGTH = 300;

/** How often is looked, measured in the time after which a wait ends in an error; and at least so often, in ms. */
const LOOKS_PER_TIMEOUT = 3;
const LEAST_OFTEN_MS = 2_000;

/**
 * Looks every now and then who blocks the statements of tenantctl in this database. It has to be asked while they wait:
 * an error for want of a lock (55P03) does not say who had it
 * (https://www.postgresql.org/docs/current/functions-info.html: pg_blocking_pids).
 */
export function watchBlockers(database: Database, lockTimeoutMs: number): BlockerWatch {
  // All its connections are one session: nobody waits there, and a look would.
  if (database.sharedSession) return { of: () => [], stop: () => {} };
  const seen = new Map<number, readonly Blocker[]>();
  let looking = false;
  const look = async () => {
    if (looking) return;
    looking = true;
    try {
      for (const [pid, blockers] of await readBlockers(database)) seen.set(pid, blockers);
    } catch {
      // Whoever has no connection to spare, or no right to look, has an error that says less.
    } finally {
      looking = false;
    }
  };
  const interval = lockTimeoutMs > 0 ? lockTimeoutMs / LOOKS_PER_TIMEOUT : LEAST_OFTEN_MS;
  const timer = setInterval(() => void look(), Math.max(50, Math.min(interval, LEAST_OFTEN_MS)));
  timer.unref();
  return {
    of: (pid) => (pid === undefined ? [] : (seen.get(pid) ?? [])),
    stop: () => clearInterval(timer),
  };
}

/** Names who was in the way of what has failed for want of a lock. */
export function withBlockers<Ended extends Advance>(ended: Ended, watch: BlockerWatch): Ended {
  const blockedBy = ended.error?.sqlstate === '55P03' ? watch.of(ended.pid) : [];
  return blockedBy.length === 0 ? ended : { ...ended, error: ended.error?.with({ blockedBy }) };
}

interface BlockerRow {
  readonly waiting: number;
  readonly pid: number;
  readonly user: string | null;
  readonly application: string | null;
  readonly state: string | null;
  readonly query: string | null;
}

/** By the process id of the backend that waits. Another role's query is its owner's secret: PostgreSQL does not tell. */
async function readBlockers(database: Database): Promise<Map<number, Blocker[]>> {
  const { rows } = await database.query<BlockerRow>(
    `SELECT w.pid AS waiting, b.pid, b.usename::text AS "user", b.application_name AS application, b.state,
            left(b.query, ${QUERY_LENGTH}) AS query
     FROM pg_stat_activity w
     CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS blocking (pid)
     JOIN pg_stat_activity b ON b.pid = blocking.pid
     WHERE w.datname = current_database() AND w.wait_event_type = 'Lock' AND w.application_name = 'tenantctl'
     ORDER BY w.pid, b.pid`,
  );
  const byWaiting = new Map<number, Blocker[]>();
  for (const { waiting, pid, user, application, state, query } of rows) {
    const blockers = byWaiting.get(waiting) ?? [];
    blockers.push({ pid, user, application, state, query });
    byWaiting.set(waiting, blockers);
  }
  return byWaiting;
}
