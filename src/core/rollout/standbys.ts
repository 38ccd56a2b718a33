import { TenantctlError } from '../../errors.ts';
import type { Database } from '../../db/database.ts';

/** A standby as the server shows it. */
export interface Standby {
  /** Its application_name, or its address where it has none. */
  readonly name: string;
  /** It receives what the server writes as it writes it; before, it is still being brought there. */
  readonly isStreaming: boolean;
  /** How far it has replayed the server's log, in bytes from the beginning of all; null where it has not said. */
  readonly replayed: number | null;
  /** Milliseconds by which the server has seen it behind last; null where that was long ago. */
  readonly replayLagMs: number | null;
}

/** The end of the server's log, and the standbys that follow it. */
export interface Replication {
  /** Bytes from the beginning of all. */
  readonly written: number;
  readonly standbys: readonly Standby[];
}

/**
 * Reads which physical standbys are connected. One that is not is not seen; subscribers of logical replication and
 * backups do not count (https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-REPLICATION-VIEW).
 */
export async function readReplication(database: Pick<Database, 'query'>): Promise<Replication> {
  const { rows } = await database.query<{
    written: number;
    name: string | null;
    state: string;
    replayed: number | null;
    lag_ms: number | null;
  }>(
    `SELECT (pg_current_wal_flush_lsn() - '0/0')::float8 AS written, s.state,
            coalesce(nullif(s.application_name, ''), s.client_addr::text, 'process ' || s.pid) AS name,
            (s.replay_lsn - '0/0')::float8 AS replayed, (extract(epoch FROM s.replay_lag) * 1000)::float8 AS lag_ms
     FROM (SELECT) AS always
     LEFT JOIN pg_stat_replication s ON s.state NOT IN ('backup', 'stopping')
       AND NOT EXISTS (SELECT FROM pg_replication_slots l WHERE l.active_pid = s.pid AND l.slot_type = 'logical')
     ORDER BY s.pid`,
  );
  return {
    written: rows[0]?.written ?? 0,
    standbys: rows.flatMap(({ name, state, replayed, lag_ms: replayLagMs }) =>
      name === null ? [] : [{ name, isStreaming: state === 'streaming', replayed, replayLagMs }],
    ),
  };
}

/** @throws TenantctlError REPLICA_LAG_UNKNOWN where the role may not see how far standbys are */
export async function assertStandbysAreSeen(database: Pick<Database, 'query'>): Promise<void> {
  const { rows } = await database.query<{ is_seen: boolean; role: string }>(
    `SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS is_seen, quote_ident(current_user) AS role`,
  );
  const [seen] = rows;
  if (seen?.is_seen === true) return;
  throw new TenantctlError(
    'REPLICA_LAG_UNKNOWN',
    `The role ${seen?.role} may not see how far standbys are behind.`,
    { hint: `GRANT pg_read_all_stats TO ${seen?.role};  -- as a superuser; or leave out --max-replica-lag` },
  );
}

/** How far a standby is behind: Infinity where it is still being brought to where the server is. */
export interface Lag {
  readonly standby: string;
  readonly ms: number;
}

/** Works out how far standbys are behind, from what was seen of them and when. */
export interface LagMeter {
  /** The one that is furthest behind; undefined where there is none. @param now milliseconds, on any clock that goes on */
  look(seen: Replication, now: number): Lag | undefined;
}

/**
 * The server measures the lag of a standby by its answers, which come every ten seconds where it stands still. So the
 * meter remembers when the log had reached which place: who has not replayed that is behind since then.
 */
export function createLagMeter(): LagMeter {
  let marks: { readonly at: number; readonly written: number }[] = [];
  return {
    look({ written, standbys }, now) {
      if (marks.at(-1)?.written !== written) marks.push({ at: now, written });
      const least = Math.min(...standbys.map(({ replayed }) => replayed ?? 0));
      // Places that all have replayed say nothing any more.
      marks = marks.filter((mark) => mark.written > least || mark === marks.at(-1));
      const lags = standbys.map((standby) => ({
        standby: standby.name,
        ms: lagOf(standby, written, marks, now),
      }));
      return lags.toSorted((a, b) => b.ms - a.ms)[0];
    },
  };
}

function lagOf(
  { isStreaming, replayed, replayLagMs }: Standby,
  written: number,
  marks: readonly { readonly at: number; readonly written: number }[],
  now: number,
): number {
  if (!isStreaming) return Infinity;
  if (replayed !== null && replayed >= written) return 0;
  const missed = marks.find((mark) => mark.written > (replayed ?? 0));
  return Math.max(missed === undefined ? 0 : now - missed.at, replayLagMs ?? 0);
}
