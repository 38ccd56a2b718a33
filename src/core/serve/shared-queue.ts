import type { Sighting, Task } from './work.ts';

/** A shared fleet is divided into this many places, each with between LEAST and MOST tasks. */
const PLACES = 32;
const LEAST = 16;
const MOST = 256;

/** Tasks not started yet. Other runs may be processing the same tenants. */
export interface SharedQueue<T extends Task> {
  /** The next tasks, in order. May be empty although tasks are left: call `fill`. */
  readonly ready: T[];
  readonly size: number;
  /** Makes tasks ready. @returns false if none is left */
  fill(): Promise<boolean>;
  /** Another run holds this task's tenant. */
  met(task: T): void;
  /** Removes and returns all remaining tasks. */
  clear(): T[];
}

export interface SharedQueueOptions<T extends Task> {
  /** What other runs have done to these tasks, which have left the queue. */
  readonly look: (tasks: readonly T[]) => Promise<Sighting<T>>;
  readonly onDone: (tasks: readonly T[]) => void;
  /** Called when other runs hold these and nothing else is left. */
  readonly onLocked: (tasks: readonly T[]) => void;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/**
 * Serves a fleet in order until another run on it is found. Then the runs avoid each other: each continues at
 * a random place and first queries what others have done there. It leaves a place where another run is
 * working while there are other places; the last places are shared, one run starting at the end. A killed run
 * leaves nothing behind.
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

  /** Moves to the next place without another run, or to any if there is none. */
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
      // Tasks already started when a place's first conflict was found add no information.
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

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, key: random() }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
