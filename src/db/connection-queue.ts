import { TenantctlError } from '../errors.ts';

/**
 * - `call`: a whole call, which takes connections one after the other; the first calls end before the last
 *   begin
 * - `work`: a connection for work that holds no other
 * - `query`: a connection for one statement
 * - `aside`: a second connection besides one held for work
 * - `lease`: a connection held beside all others: it shows that this process is at work, or gathers rows of tenants
 */
export type Purpose = 'call' | 'work' | 'query' | 'aside' | 'lease';

/** The queue in front of a pool. */
export interface Places {
  /** The number of places for work. */
  readonly width: number;
  /**
   * Waits for a place in call order.
   * @returns a function that gives it back
   * @throws TenantctlError POOL_EXHAUSTED after the wait; the error passed to `close`
   */
  take(purpose: Purpose): Promise<() => void>;
  /** Sets how many connections may be in use from now on; at most the pool's size. */
  limitTo(connections: number): void;
  /**
   * The server has refused a connection: until none is in use, those that are open must do.
   * @returns whether one of them will become free
   */
  goOnWith(open: number, purpose: Purpose): boolean;
  /** Rejects all current and later waits with this error. */
  close(reason: Error): void;
}

/** Default wait in milliseconds. */
export const DEFAULT_WAIT_MS = 60_000;

/** Less than the 50 s after which the server ends the first connection's idle transaction. */
const MOST_ASIDE_MS = 25_000;

/** Calls per connection: while one computes or waits for a lock, another uses it. */
const CALLS_PER_CONNECTION = 2;

interface Waiting {
  readonly purpose: Purpose;
  readonly resolve: (leave: () => void) => void;
  readonly reject: (reason: Error) => void;
}

/**
 * A first-come, first-served queue for a pool's connections. There are no deadlocks: one place is reserved
 * for the lease; `work` leaves one free for second connections and single statements. Only a holder of `work`
 * waits for another place, and only for `aside`; holders of `aside` or the lease never wait.
 */
export function createPlaces(max: number, waitMs: number): Places {
  /** How many connections may be in use: as set, and at present. */
  let most = max;
  let limit = max;
  const width = () => Math.max(1, limit - 2);
  const inUse: Record<Purpose, number> = { call: 0, work: 0, query: 0, aside: 0, lease: 0 };
  const waiting: Waiting[] = [];
  let closed: Error | undefined;

  const busy = () => inUse.work + inUse.query + inUse.aside;
  const hasRoom = (purpose: Purpose): boolean => {
    if (purpose === 'call') return inUse.call < max * CALLS_PER_CONNECTION;
    if (purpose === 'lease') return inUse.lease < 1;
    return busy() < Math.max(1, limit - 1) && (purpose !== 'work' || inUse.work < width());
  };
  const occupy = (purpose: Purpose): (() => void) => {
    inUse[purpose] += 1;
    let isGivenBack = false;
    return () => {
      if (isGivenBack) return;
      isGivenBack = true;
      inUse[purpose] -= 1;
      if (busy() === 0) limit = most;
      letIn();
    };
  };
  const letIn = () => {
    for (const one of waiting.slice()) {
      if (!hasRoom(one.purpose)) continue;
      waiting.splice(waiting.indexOf(one), 1);
      one.resolve(occupy(one.purpose));
    }
  };
  return {
    get width() {
      return width();
    },
    limitTo(connections) {
      most = Math.min(max, connections);
      limit = most;
      letIn();
    },
    goOnWith(open, purpose) {
      limit = Math.min(limit, open);
      // Who asks for a second connection holds one.
      return purpose !== 'lease' && busy() > (purpose === 'aside' ? 1 : 0);
    },
    async take(purpose) {
      if (closed !== undefined) throw closed;
      const isFirst = !waiting.some((each) => each.purpose === purpose);
      if (isFirst && hasRoom(purpose)) return occupy(purpose);
      const { promise, resolve, reject } = Promise.withResolvers<() => void>();
      const one: Waiting = { purpose, resolve, reject };
      waiting.push(one);
      const timeMs = purpose === 'aside' ? Math.min(waitMs, MOST_ASIDE_MS) : waitMs;
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(one), 1);
        reject(exhausted(max, timeMs));
      }, timeMs);
      // Waiting alone does not keep a process alive.
      timer.unref();
      return promise.finally(() => clearTimeout(timer));
    },
    close(reason) {
      closed = reason;
      for (const one of waiting.splice(0)) one.reject(reason);
    },
  };
}

export function exhausted(max: number, waitMs: number): TenantctlError {
  return new TenantctlError(
    'POOL_EXHAUSTED',
    `All ${max} connections of this pool were in use for ${waitMs / 1000} s. The server was not asked: it may be well.`,
    {
      hint: 'Try again later, start fewer calls at once, or open the database with a larger maxConnections or waitTimeoutMs.',
    },
  );
}
