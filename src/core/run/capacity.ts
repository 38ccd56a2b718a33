import { checkDatabase } from '../options/check-call.ts';
import { TenantctlError } from '../../errors.ts';
import type { Database } from '../../db/database.ts';
import type { Observer } from '../report/event.ts';

export interface Capacity {
  /** max_connections, less those that are reserved. */
  readonly usable: number;
  /** Free for this role, including those that this process holds. */
  readonly free: number;
}

export const DEFAULT_CONCURRENCY = 4;

/** The most tenants in parallel with `--concurrency auto`. */
export const AUTO_CEILING = 16;

/** Reads the limits of the server, the database and the role. */
export async function readCapacity(database: Database): Promise<Capacity> {
  checkDatabase(database);
  // This process's own connections count as free: the work will use them.
  const { rows } = await database.query<{ usable: number; free: number }>(
    `WITH clients AS (SELECT datid, usesysid FROM pg_stat_activity WHERE backend_type = 'client backend')
     SELECT usable, $1 + least(
              usable - (SELECT count(*) FROM clients),
              nullif(d.datconnlimit, -1) - (SELECT count(*) FROM clients WHERE datid = d.oid),
              nullif(r.rolconnlimit, -1) - (SELECT count(*) FROM clients WHERE usesysid = r.oid)
            )::int AS free
     FROM (SELECT current_setting('max_connections')::int
                  - current_setting('superuser_reserved_connections')::int
                  - coalesce(current_setting('reserved_connections', true)::int, 0) AS usable) s,
          pg_database d, pg_roles r
     WHERE d.datname = current_database() AND r.rolname = session_user`,
    [Math.max(1, database.opened())],
  );
  return rows[0] ?? { usable: 0, free: 0 };
}

/** Extra connections: the lease, and one for the guard or a migration outside a transaction. */
export const BESIDE = 2;

/** `auto` leaves connections to the application: the larger of a number and a share of the usable ones. */
const RESERVED_CONNECTIONS = 3;
const RESERVED_SHARE = 0.1;

/** How many connections a run with `auto` may use. A pooler's own limit shows only in the throughput. */
export async function connectionsBesideReserve(database: Database): Promise<number> {
  const { usable, free } = await readRoom(database);
  if (free === Infinity) return free;
  return Math.max(1, free - Math.max(RESERVED_CONNECTIONS, Math.ceil(usable * RESERVED_SHARE)));
}

async function readRoom(database: Database): Promise<Capacity> {
  return database.showsFreeConnections ? readCapacity(database) : { usable: Infinity, free: Infinity };
}

/**
 * The number of tenants in parallel; the maximum with `auto`. Otherwise the pool is limited to the connections
 * that are free, and the number to what this leaves for tenants; an explicit number above that is reduced with a
 * warning, one above the free connections refused. Behind a pooler, free connections are not counted.
 * @throws TenantctlError CONCURRENCY_TOO_HIGH with the figures
 */
export async function decideConcurrency(
  database: Database,
  asked: number | 'auto' | undefined,
  observe: Observer,
): Promise<number> {
  if (!database.hasParallelSessions) return 1;
  const full = database.max - BESIDE;
  if (asked === 'auto') return Math.max(1, Math.min(AUTO_CEILING, full));
  const { usable, free } = await readRoom(database);
  database.limitTo(Math.max(1 + BESIDE, free));
  const { width } = database;
  if (asked === undefined) return Math.min(DEFAULT_CONCURRENCY, width);
  if (asked > free)
    throw tooHigh(
      `${asked} needs ${asked} connections; ${Math.max(0, free)} of the server's ${usable} are free.`,
      `Use --concurrency ${Math.max(1, free)} or less, or raise max_connections.`,
    );
  if (asked > Math.max(1, full))
    throw tooHigh(
      `${asked} needs a pool of ${asked + BESIDE} connections; this one was opened with ${database.max}.`,
      'Open the database with a larger maxConnections.',
    );
  if (asked > width)
    observe({
      type: 'warning',
      message: `A concurrency of ${asked} needs ${asked + BESIDE} connections; ${free} of the server's ${usable} are free. It is lowered to ${width}.`,
    });
  return Math.min(asked, width);
}

function tooHigh(why: string, hint: string): TenantctlError {
  return new TenantctlError('CONCURRENCY_TOO_HIGH', `A concurrency of ${why}`, { hint });
}
