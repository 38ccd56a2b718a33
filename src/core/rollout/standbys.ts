import { TenantctlError } from '../../errors.ts';
import type { Database } from '../../db/database.ts';

export interface Standby {
  /** Its application_name, or its address if it has none. */
  readonly name: string;
  /** It receives new WAL as it is written; otherwise it is still catching up. */
  readonly isStreaming: boolean;
  /** The WAL position up to which it has replayed, in bytes; null if unknown. */
  readonly replayed: number | null;
  /** The lag last measured by the server, in milliseconds; null if that is out of date. */
  readonly replayLagMs: number | null;
}

export interface Replication {
  /** The end of the flushed WAL, in bytes. */
  readonly written: number;
  readonly standbys: readonly Standby[];
}

/**
 * Reads the connected physical standbys. Logical subscribers and backups are ignored
 * (https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-REPLICATION-VIEW).
 */
export async function readReplication(database: Pick<Database, 'query'>): Promise<Replication> {
  const { rows } = await database.query<Omit<Standby, 'name'> & { written: number; name: string | null }>(
    `SELECT (pg_current_wal_flush_lsn() - '0/0')::float8 AS written, s.state = 'streaming' AS "isStreaming",
            coalesce(nullif(s.application_name, ''), s.client_addr::text, 'process ' || s.pid) AS name,
            (s.replay_lsn - '0/0')::float8 AS replayed,
            (extract(epoch FROM s.replay_lag) * 1000)::float8 AS "replayLagMs"
     FROM (SELECT) AS always
     LEFT JOIN pg_stat_replication s ON s.state NOT IN ('backup', 'stopping')
       AND NOT EXISTS (SELECT FROM pg_replication_slots l WHERE l.active_pid = s.pid AND l.slot_type = 'logical')
     ORDER BY s.pid`,
  );
  return {
    written: rows[0]?.written ?? 0,
    standbys: rows.flatMap(({ name, ...standby }) => (name === null ? [] : { ...standby, name })),
  };
}

/** @throws TenantctlError REPLICA_LAG_UNKNOWN if the role may not see the standbys' positions */
export async function assertStandbysAreSeen(database: Pick<Database, 'query'>): Promise<void> {
  const { rows } = await database.query<{ is_seen: boolean; role: string }>(
    `SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS is_seen, quote_ident(current_user) AS role`,
  );
  const [seen] = rows;
  if (seen?.is_seen === true) return;
  throw new TenantctlError(
    'REPLICA_LAG_UNKNOWN',
    `The role ${seen?.role} may not see the lag of the standbys.`,
    { hint: `GRANT pg_read_all_stats TO ${seen?.role};  -- as a superuser; or leave out --max-replica-lag` },
  );
}

/** Infinity while the standby is still catching up. */
export interface Lag {
  readonly standby: string;
  readonly ms: number;
}

/** When a WAL position was reached. */
interface Mark {
  readonly at: number;
  readonly written: number;
}

/**
 * The largest lag of any standby from successive observations; `now` is a monotonic clock in milliseconds. An
 * idle standby replies only every ten seconds, so its lag is measured here: from when the server wrote the
 * first WAL position that it has not replayed.
 */
export function createLagMeter(): (seen: Replication, now: number) => Lag | undefined {
  let marks: readonly Mark[] = [];
  return ({ written, standbys }, now) => {
    if (marks.at(-1)?.written !== written) marks = [...marks, { at: now, written }];
    const least = Math.min(...standbys.map(({ replayed }) => replayed ?? 0));
    // Positions that all standbys have replayed are no longer needed.
    marks = marks.filter((mark) => mark.written > least || mark === marks.at(-1));
    const lags = standbys.map((each) => ({ standby: each.name, ms: lagOf(each, written, marks, now) }));
    return lags.toSorted((a, b) => b.ms - a.ms)[0];
  };
}

function lagOf(
  { isStreaming, replayed, replayLagMs }: Standby,
  written: number,
  marks: readonly Mark[],
  now: number,
): number {
  if (!isStreaming) return Infinity;
  if (replayed !== null && replayed >= written) return 0;
  const missed = marks.find((mark) => mark.written > (replayed ?? 0));
  return Math.max(missed === undefined ? 0 : now - missed.at, replayLagMs ?? 0);
}
