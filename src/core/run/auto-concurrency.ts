/** The limit when a run starts. */
const START = 2;

/** A window ends after this many milliseconds, and this many finished tenants per lane. */
const WINDOW_MS = 500;
const TENANTS_PER_LANE = 4;

/** After a step back or a halving, the next window is longer by this factor. */
const LONG_WINDOW = 8;

/** A step pays off if it brings at least this share of proportional growth. */
const WORTH = 0.5;

/** Halve if a window has this many lock timeouts, and more than this share of its tenants. */
const LOCK_TIMEOUTS = 3;
const LOCK_TIMEOUT_SHARE = 0.05;

/**
 * The algorithm of `--concurrency auto`, modeled on TCP's congestion control:
 * - The limit starts at 2 and doubles after each window in which throughput grew enough. The first step that
 * does not pay off is undone; after a long window the limit grows by one at a time.
 * - Lock timeouts halve it for a long window. Tenants started before the last change do not count.
 * - It never exceeds the ceiling or the free connections.
 * @param now a monotonic clock in milliseconds
 */
export function createAutoConcurrency(ceiling: number, now: () => number) {
  let top = Math.max(1, Math.floor(ceiling));
  let limit = Math.min(START, top);
  let isDoubling = true;
  let factor = 1;
  let generation = 0;
  /** The last step up: the limit and the throughput before it. */
  let from: { readonly limit: number; readonly rate: number } | undefined;
  let window = { since: now(), finished: 0, lockTimeouts: 0 };

  const moveTo = (wanted: number, windowFactor: number) => {
    const next = Math.max(1, Math.min(Math.floor(wanted), top));
    if (next !== limit) generation += 1;
    limit = next;
    factor = windowFactor;
    window = { since: now(), finished: 0, lockTimeouts: 0 };
  };
  const backOff = (to: number) => {
    from = undefined;
    isDoubling = false;
    moveTo(to, LONG_WINDOW);
  };
  const step = (rate: number) => {
    if (from !== undefined && rate < from.rate * (1 + WORTH * (limit / from.limit - 1))) {
      backOff(from.limit);
      return;
    }
    from = limit < top ? { limit, rate } : undefined;
    moveTo(isDoubling ? limit * 2 : limit + 1, 1);
  };

  return {
    /** From 1 to the ceiling. Tenants above a lowered limit finish; no new ones start. */
    get limit() {
      return limit;
    },
    /** Call it when the work on a tenant starts, and the returned function when that has ended. */
    begin() {
      const begun = generation;
      return ({ lockTimeout }: { readonly lockTimeout: boolean }) => {
        if (begun !== generation) return;
        window.finished += 1;
        if (lockTimeout) window.lockTimeouts += 1;
        const { since, finished, lockTimeouts } = window;
        const ms = now() - since;
        if (lockTimeouts >= LOCK_TIMEOUTS && lockTimeouts > LOCK_TIMEOUT_SHARE * finished) backOff(limit / 2);
        else if (ms >= factor * WINDOW_MS && finished >= factor * TENANTS_PER_LANE * limit)
          step(finished / ms);
      };
    },
    /** Sets how many connections the run may use now; 0 if the server has refused one. */
    free(connections: number) {
      top = Math.max(1, Math.min(Math.floor(ceiling), Math.floor(connections)));
      if (limit > top) backOff(top);
    },
  };
}
