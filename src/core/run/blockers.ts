import type { Blocker } from '../../errors.ts';
import type { Database } from '../../db/database.ts';

export interface BlockerWatch {
  /** The blockers of the backend with this process id; empty if none were seen. */
  of(pid: number | undefined): readonly Blocker[];
  stop(): void;
}

const QUERY_LENGTH = 300;
const LONGEST_CHAIN = 5;
const LOOKS_PER_TIMEOUT = 3;
const LONGEST_INTERVAL_MS = 2_000;
/** Milliseconds for which an observation is valid beyond the wait: client and server may be busy. */
const GRACE_MS = 2_000;

/** Polls who blocks tenantctl's statements: the error of a lock timeout (55P03) does not say. */
export function watchBlockers(database: Database, lockTimeoutMs: number): BlockerWatch {
  // All connections are one session: nobody waits for a lock there.
  if (!database.hasParallelSessions) return { of: () => [], stop: () => {} };
  const wanted = lockTimeoutMs > 0 ? lockTimeoutMs / LOOKS_PER_TIMEOUT : LONGEST_INTERVAL_MS;
  const interval = Math.max(50, Math.min(wanted, LONGEST_INTERVAL_MS));
  const seen = new Map<number, { readonly at: number; readonly blockers: readonly Blocker[] }>();
  let looking = false;
  const look = async () => {
    if (looking) return;
    looking = true;
    try {
      const at = performance.now();
      // A connection that bypasses the pooler does not wait in its queue.
      const watching = database.hasSessions ? await database.sessions() : database;
      for (const [pid, blockers] of await readBlockers(watching)) seen.set(pid, { at, blockers });
    } catch {
      // Without a spare connection, or the privilege to look, the error says less.
    } finally {
      looking = false;
    }
  };
  const timer = setInterval(() => void look(), interval);
  timer.unref();
  return {
    of(pid) {
      const last = pid === undefined ? undefined : seen.get(pid);
      // A backend serves many tenants: ignore blockers of an earlier one.
      const longest = lockTimeoutMs + 2 * interval + GRACE_MS;
      return last === undefined || performance.now() - last.at > longest ? [] : last.blockers;
    },
    stop: () => clearInterval(timer),
  };
}

interface BlockerRow extends Omit<Blocker, 'waitsFor'> {
  /** The backend of tenantctl that waits. */
  readonly waiting: number;
  /** The backend that `pid` blocks: the waiting one, or one of its blockers. */
  readonly waiter: number;
}

/**
 * The blockers of each waiting backend, then their blockers. A prepared transaction has process id 0, and its
 * name as the query (https://www.postgresql.org/docs/current/functions-info.html: pg_blocking_pids).
 * PostgreSQL hides the queries of other roles.
 */
export async function readBlockers(database: Database): Promise<Map<number, Blocker[]>> {
  const { rows } = await database.query<BlockerRow>(
    `WITH RECURSIVE chain (waiting, waiter, pid, depth) AS (
       SELECT w.pid, w.pid, blocking.pid, 1
       FROM pg_stat_activity w CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS blocking (pid)
       WHERE w.datname = current_database() AND w.wait_event_type = 'Lock' AND w.application_name = 'tenantctl'
       UNION
       SELECT c.waiting, c.pid, further.pid, c.depth + 1
       FROM chain c CROSS JOIN LATERAL unnest(pg_blocking_pids(c.pid)) AS further (pid)
       WHERE c.pid <> 0 AND c.depth < ${LONGEST_CHAIN}
     )
     SELECT c.waiting, c.waiter, c.pid, coalesce(b.usename::text, p.owner) AS "user", b.application_name AS application,
            CASE WHEN c.pid = 0 THEN 'prepared' ELSE b.state END AS state,
            coalesce(left(b.query, ${QUERY_LENGTH}), 'PREPARE TRANSACTION ' || quote_literal(p.gid)) AS query
     FROM chain c
     LEFT JOIN pg_stat_activity b ON b.pid = c.pid AND c.pid <> 0
     LEFT JOIN LATERAL (
       SELECT x.gid, x.owner::text AS owner
       FROM pg_locks want
       JOIN pg_locks has ON has.granted AND has.pid IS NULL AND has.locktype = want.locktype
         AND has.database IS NOT DISTINCT FROM want.database AND has.relation IS NOT DISTINCT FROM want.relation
         AND has.transactionid IS NOT DISTINCT FROM want.transactionid
         AND has.classid IS NOT DISTINCT FROM want.classid AND has.objid IS NOT DISTINCT FROM want.objid
       JOIN pg_locks id ON id.granted AND id.pid IS NULL AND id.locktype = 'transactionid'
         AND id.virtualtransaction = has.virtualtransaction
       JOIN pg_prepared_xacts x ON x.transaction = id.transactionid
       WHERE want.pid = c.waiter AND NOT want.granted
     ) p ON c.pid = 0
     WHERE b.pid IS NOT NULL OR c.pid = 0
     ORDER BY c.waiting, c.depth, c.pid`,
  );
  const byWaiting = new Map<number, Blocker[]>();
  for (const [waiting, chain] of Map.groupBy(rows, (row) => row.waiting)) {
    const blockers = new Map<string, Blocker>();
    for (const { waiting: _, waiter: __, ...blocker } of chain) {
      const { pid, query } = blocker;
      const waitsFor = [...new Set(chain.filter(({ waiter }) => waiter === pid).map((row) => row.pid))];
      const key = pid === 0 ? `0 ${query}` : String(pid);
      if (!blockers.has(key)) blockers.set(key, { ...blocker, ...(waitsFor.length > 0 && { waitsFor }) });
    }
    byWaiting.set(waiting, [...blockers.values()]);
  }
  return byWaiting;
}
