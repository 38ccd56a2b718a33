import pLimit from 'p-limit';
import type { TenantctlError } from '../../errors.ts';
import { createAutoConcurrency } from './auto-concurrency.ts';
import { connectionsBesideReserve, decideConcurrency } from './capacity.ts';
import type { Observer } from '../report/event.ts';
import type { Database } from '../../db/database.ts';

/** How many tenants to process in parallel: a number, or adapted to throughput (auto-concurrency.ts). */
export type Concurrency = number | 'auto';

/** The slots of a run in which tenants are processed in parallel. */
export interface Lanes {
  readonly width: number;
  /** Runs a task as soon as a lane is free. */
  readonly run: <T>(task: () => Promise<T>) => Promise<T>;
  /** Call it when the work on a tenant starts, and the returned function when that has ended. */
  readonly begin: () => (error?: TenantctlError) => void;
}

/** For a single target. */
export const ONE_LANE: Lanes = { width: 1, run: (task) => task(), begin: () => () => {} };

/** With `auto`, idle connections are closed after this many milliseconds, to free them for others. */
const AUTO_IDLE_MS = 1_000;

/** Milliseconds between two checks of the server's free connections. */
const LOOK_INTERVAL_MS = 2_000;

/**
 * @param targets how many there are, if that is known: a single one needs no measuring
 * @throws TenantctlError CONCURRENCY_TOO_HIGH for a number that the server or the pool cannot support
 */
export async function createLanes(
  database: Database,
  asked: Concurrency | undefined,
  observe: Observer,
  targets = Infinity,
): Promise<Lanes> {
  if (targets <= 1) return ONE_LANE;
  const width = await decideConcurrency(database, asked, observe);
  const limit = pLimit(width);
  const run: Lanes['run'] = (task) => limit(task);
  if (asked !== 'auto' || width === 1) return { width, run, begin: () => () => {} };

  const control = createAutoConcurrency(width, () => performance.now());
  const adjust = (connections?: number) => {
    if (connections !== undefined) control.free(connections);
    if (limit.concurrency !== control.limit) limit.concurrency = control.limit;
  };
  adjust(await connectionsBesideReserve(database));
  database.closeIdleAfter(AUTO_IDLE_MS);
  let lookedAt = performance.now();
  const look = () => {
    if (performance.now() - lookedAt < LOOK_INTERVAL_MS) return;
    lookedAt = performance.now();
    connectionsBesideReserve(database).then(adjust, () => adjust(0));
  };
  return {
    width,
    run,
    begin() {
      const end = control.begin();
      return (error) => {
        // A lock timeout, or a deadlock (https://www.postgresql.org/docs/current/errcodes-appendix.html).
        end({ lockTimeout: error?.sqlstate === '55P03' || error?.sqlstate === '40P01' });
        // 53300: the server has no connection left.
        adjust(error?.sqlstate === '53300' ? 0 : undefined);
        look();
      };
    },
  };
}
