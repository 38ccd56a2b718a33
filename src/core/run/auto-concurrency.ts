import type { TenantctlError } from '../../errors.ts';
import { readCapacity, type Capacity } from './capacity.ts';
import { decideCourse, START_LEVEL, type Course } from './auto-course.ts';
import type { Database } from '../../db/database.ts';

/** Milliseconds between two looks at the server's free connections. */
export const CAPACITY_INTERVAL_MS = 2_000;

/** Connections that are left free for the application: the larger of the two, the share being of the usable ones. */
const RESERVED_CONNECTIONS = 3;
const RESERVED_SHARE = 0.1;

/** So many of a window's tenants failing on a lock, and more than this share, and the number at work is halved. */
const LOCK_WAITS = 3;
const LOCK_WAIT_SHARE = 0.05;

/** Windows without such trouble before growth is tried again: after lock waits, and after a lack of connections. */
const HOLD_AFTER_LOCK_WAITS = 8;
const HOLD_AFTER_SHORTAGE = 4;

/** A window lasts until it has both: so many milliseconds, and so many ended tenants for each that may be at work. */
interface WindowSize {
  readonly ms: number;
  readonly perWorker: number;
}
/** While the number doubles, a step brings much or nothing, and a short look tells which. */
const DOUBLING_WINDOW: WindowSize = { ms: 250, perWorker: 2 };
const WINDOW: WindowSize = { ms: 1_000, perWorker: 4 };

/** How many tenants may be at work, decided while they are. */
export interface AutoConcurrency {
  /** How many may be at work now: from 1 to the ceiling. Those beyond it finish, and no other is begun for them. */
  readonly limit: number;
  /** To be called when the work on a tenant begins. What it returns is to be called when that has ended. */
  begin(): EndOfTenant;
  /** How many connections the run may use now (see usableConnections); 0 where the server has refused one. */
  free(connections: number): void;
}

/** `lockWait`: it failed on a lock that somebody else held (see failedOnLock). */
export type EndOfTenant = (how: { readonly lockWait: boolean }) => void;

export interface AutoOptions {
  /** The most tenants at work at once. */
  readonly ceiling: number;
  /** A clock in milliseconds; performance.now, which nobody sets back. */
  readonly now: () => number;
}

/**
 * The rule of `--concurrency auto`. Nothing but what it is told and its clock goes into it.
 *
 * 1. It starts with 2 tenants at work and measures the throughput, in tenants per second, over a window: at least
 *    1,000 ms and at least 4 ended tenants for each that may be at work (250 ms and 2 while it doubles), so that tenants
 *    of a millisecond and of ten seconds are both measured well. After a change of the number, the window begins with
 *    the end of the first tenant that was begun after the change.
 * 2. The number doubles from window to window for as long as that pays. Then it grows by single steps: by a quarter of
 *    itself, at least by 1. A step pays that brings at least half of what it would if throughput grew as the number does
 *    (from 2 to 4: 50 %; from 10 to 12: 10 %).
 * 3. A step that did not pay is taken back. After 4 windows of holding, whose throughput is the new measure, it tries
 *    the other direction: one step down, which stays where the step back up would not pay; after 4 more one up; and so
 *    on. So it also follows a server that has become busier, or less busy.
 * 4. As soon as 3 tenants of a window, and more than 5 % of those that it has so far, have failed on a lock, the number is
 *    halved, and held until 8 windows have passed without that. Then it grows by single steps. Tenants that were begun
 *    before the last change do not count: they tell of the number before. Fewer are what a fleet in use has anyhow:
 *    here and there a tenant whose own long query is in the way.
 * 5. It never exceeds the ceiling, nor the connections that free() allows: when these run short it goes down to them at
 *    once, holds for 4 windows, and grows again by single steps. It is never less than 1.
 *
 * For a tenant that another run is at work on, the end is not to be told: the attempt costs nothing, and the throughput
 * shows what the other run takes away. If it counted as a lock wait, runs that share a fleet would press each other down
 * to 1.
 */
export function createAutoConcurrency({ ceiling, now }: AutoOptions): AutoConcurrency {
  let top = Math.max(1, Math.floor(ceiling));
  let course: Course = {
    move: 'hold',
    level: Math.min(START_LEVEL, top),
    windowsLeft: 1,
    next: 'double',
    seen: { tenants: 0, ms: 0 },
  };
  // Which of the course's levels the tenants at work were begun under.
  let era = 0;
  let opened: { readonly at: number; tenants: number; lockWaits: number } | undefined;

  const steer = (to: Course) => {
    if (to.level !== course.level) {
      era += 1;
      opened = undefined;
    }
    course = to;
  };
  const shrink = (level: number, windowsLeft: number) => {
    steer({ move: 'hold', level, windowsLeft, next: 'up', seen: { tenants: 0, ms: 0 } });
    opened = undefined;
  };

  const ended = (lockWait: boolean) => {
    const at = now();
    // The end that opens a window is not one of its tenants: they are counted from there.
    if (opened === undefined) opened = { at, tenants: 0, lockWaits: 0 };
    else opened.tenants += 1;
    if (lockWait) opened.lockWaits += 1;

    const doubling = course.move === 'double' || (course.move === 'hold' && course.next === 'double');
    const size = doubling ? DOUBLING_WINDOW : WINDOW;
    const wanted = size.perWorker * course.level;
    if (opened.lockWaits >= LOCK_WAITS && opened.lockWaits > LOCK_WAIT_SHARE * opened.tenants) {
      shrink(Math.max(1, Math.floor(course.level / 2)), HOLD_AFTER_LOCK_WAITS);
      return;
    }
    const window = { tenants: opened.tenants, ms: at - opened.at };
    if (window.ms < size.ms || window.tenants < wanted) return;
    // Where the number stays, the next window begins where this one ends.
    opened = { at, tenants: 0, lockWaits: 0 };
    steer(decideCourse(course, window, top));
  };

  return {
    get limit() {
      return course.level;
    },
    begin() {
      const begun = era;
      return ({ lockWait }) => {
        if (begun === era) ended(lockWait);
      };
    },
    free(connections) {
      top = Math.max(1, Math.min(Math.floor(ceiling), Math.floor(connections)));
      if (course.level > top) shrink(top, HOLD_AFTER_SHORTAGE);
    },
  };
}

/**
 * A tenant failed because somebody else held a lock for longer than lock_timeout (55P03), or in a deadlock (40P01). A
 * wait that ended in time is no failure; it shows as throughput that does not grow.
 */
export function failedOnLock(error: TenantctlError | undefined): boolean {
  return error?.sqlstate === '55P03' || error?.sqlstate === '40P01';
}

/** How many connections a run may use so that the application keeps some: at least 1. The run's own count as free. */
export function connectionsBesideReserve({ usable, free }: Capacity): number {
  return Math.max(1, free - Math.max(RESERVED_CONNECTIONS, Math.ceil(usable * RESERVED_SHARE)));
}

/** Asks the server how many connections the run may use, for AutoConcurrency.free. A pooler's own limit shows as throughput. */
export async function usableConnections(database: Database): Promise<number> {
  if (database.behindPooler) return Infinity;
  return connectionsBesideReserve(await readCapacity(database));
}
