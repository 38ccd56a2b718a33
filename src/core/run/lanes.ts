import pLimit from 'p-limit';
import type { TenantctlError } from '../../errors.ts';
import {
  CAPACITY_INTERVAL_MS,
  createAutoConcurrency,
  failedOnLock,
  usableConnections,
} from './auto-concurrency.ts';
import { decideConcurrency } from './capacity.ts';
import type { Database } from '../../db/database.ts';

/** How many tenants to work on at once: a number, or as many as pay (src/core/run/auto-concurrency.ts). */
export type Concurrency = number | 'auto';

/** The places of a run at which tenants are worked on side by side. */
export interface Lanes {
  /** How many there are at most. */
  readonly width: number;
  /** Runs a task as soon as a lane is free. */
  readonly run: <T>(task: () => Promise<T>) => Promise<T>;
  /** To be called when the work on a tenant begins, and what it returns when that has ended, with its error. */
  readonly begin: () => (error?: TenantctlError) => void;
}

/** Where there is only one tenant to work on. */
export const ONE_LANE: Lanes = { width: 1, run: (task) => task(), begin: () => () => {} };

/** Milliseconds after which an idle connection is closed, so that a run that shrinks gives its connections back. */
const AUTO_IDLE_MS = 1_000;

/** @throws TenantctlError CONCURRENCY_TOO_HIGH for a number that the server or the pool cannot carry */
export async function createLanes(database: Database, asked: Concurrency | undefined): Promise<Lanes> {
  const width = await decideConcurrency(database, asked);
  const limit = pLimit(width);
  if (asked !== 'auto' || width === 1) return { width, run: (task) => limit(task), begin: () => () => {} };

  const control = createAutoConcurrency({ ceiling: width, now: () => performance.now() });
  control.free(await usableConnections(database));
  database.pool.options.idleTimeoutMillis = AUTO_IDLE_MS;
  let lookedAt = performance.now();
  const adjust = () => {
    if (limit.concurrency !== control.limit) limit.concurrency = control.limit;
  };
  const look = async () => {
    if (performance.now() - lookedAt < CAPACITY_INTERVAL_MS) return;
    lookedAt = performance.now();
    control.free(await usableConnections(database).catch(() => 0));
    adjust();
  };
  adjust();
  return {
    width,
    run: (task) => limit(task),
    begin() {
      const end = control.begin();
      return (error) => {
        end({ lockWait: failedOnLock(error) });
        // The server has no connection left (https://www.postgresql.org/docs/current/errcodes-appendix.html).
        if (error?.sqlstate === '53300') control.free(0);
        void look();
        adjust();
      };
    },
  };
}
