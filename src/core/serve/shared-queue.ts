import type { Sighting, Task } from './work.ts';

/** A shared fleet is cut into so many places, each with between LEAST and MOST tasks. */
const PLACES = 32;
const LEAST = 16;
const MOST = 256;

/** The tasks that a run has not begun yet. Other runs may be working through the same tenants. */
export interface SharedQueue<T extends Task> {
  /** The next tasks, taken from the front. May be empty although tasks are left: call `fill`. */
  readonly ready: T[];
  /** How many tasks are left. */
  readonly size: number;
  /** Makes tasks ready. @returns false if none is left */
  fill(): Promise<boolean>;
  /** Another run was met at this task's tenant. */
  met(task: T): void;
  /** Removes all tasks that are left. */
  clear(): T[];
}

export interface SharedQueueOptions<T extends Task> {
  /** What other runs have made of these tasks, which have left the queue. */
  readonly look: (tasks: readonly T[]) => Promise<Sighting<T>>;
  /** Other runs have done these. */
  readonly onDone: (tasks: readonly T[]) => void;
  /** Other runs hold these, and nothing else is left. */
  readonly onLocked: (tasks: readonly T[]) => void;
  /** A number from 0 to 1, without 1. */
  readonly random: () => number;
}

/**
 * Serves a fleet in order until another run is met that does the same. From then on the runs avoid each other: each
 * continues at a random place of the fleet, and first looks what others have done there, in one query. It leaves a place
 * where another run is working, as long as there are other places; the last places are shared, one run starting at the
 * end.
 *
 * No run needs to know how many there are, and one that is killed leaves nothing behind: its places look like any other.
 */
export function createSharedQueue<T extends Task>(
  tasks: readonly T[],
  options: SharedQueueOptions<T>,
): SharedQueue<T> {
  const ready = [...tasks];
  let places: T[][] = [];
  let here: ReadonlySet<T> = new Set(tasks);
  let filling: Promise<boolean> | undefined;
  const size = Math.min(MOST, Math.max(LEAST, Math.ceil(tasks.length / PLACES)));

  /** Goes to the next place without another run; if there is none, to any. */
  const goOn = async (): Promise<boolean> => {
    for (let crowded = 0; places.length > 0;) {
      const place = places.shift() ?? [];
      const { done, locked, free } = await options.look(place);
      options.onDone(done);
      if (locked.length > 0 && free.length > 0 && crowded < places.length) {
        places.push([...locked, ...free]);
        crowded += 1;
        continue;
      }
      options.onLocked(locked);
      if (free.length === 0) continue;
      ready.push(...(locked.length > 0 ? free.toReversed() : free));
      here = new Set(free);
      return true;
    }
    return ready.length > 0;
  };

  return {
    ready,
    get size() {
      return ready.length + places.reduce((sum, place) => sum + place.length, 0);
    },
    async fill() {
      if (ready.length > 0) return true;
      filling ??= goOn().finally(() => {
        filling = undefined;
      });
      return filling;
    },
    met(task) {
      // Tasks that were under way when the first one of a place met another run say nothing new.
      if (!here.has(task)) return;
      here = new Set();
      places = shuffled([...places, ...inPlaces(ready.splice(0), size)], options.random);
    },
    clear() {
      const left = [...ready.splice(0), ...places.flat()];
      places = [];
      return left;
    },
  };
}

function inPlaces<T>(tasks: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(tasks.length / size) }, (_, nth) =>
    tasks.slice(nth * size, (nth + 1) * size),
  );
}

/** The same in random order. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, key: random() }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
