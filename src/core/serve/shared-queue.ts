import type { Sighting } from './peers.ts';
import type { Due } from '../fleet/plan-fleet.ts';

/** A shared fleet is cut into so many places, each of at least and at most so many tenants. */
const PLACES = 32;
const LEAST = 16;
const MOST = 256;

/** The tenants that a run is still to serve, others perhaps doing the same. */
export interface SharedQueue {
  /** Those that are taken next, from the front. Empty now and then although some are left: `fill`. */
  readonly ready: Due[];
  /** How many are left. */
  readonly size: number;
  /** Sees to it that some are ready. @returns false where none is left */
  fill(): Promise<boolean>;
  /** Another run was met at this tenant. */
  met(due: Due): void;
  /** Takes all that are left out of the queue. */
  clear(): Due[];
}

export interface SharedQueueOptions {
  /** What others have made of tenants; they are taken out of the queue and handed over to it for good. */
  readonly look: (dues: readonly Due[]) => Promise<Sighting>;
  /** Others have done these. */
  readonly onDone: (dues: readonly Due[]) => void;
  /** Others are at work on these, and nothing else is left. */
  readonly onLocked: (dues: readonly Due[]) => void;
  /** From 0 to 1, 1 excluded. */
  readonly random: () => number;
}

/**
 * Serves a fleet in its order, until another run is met that does the same. From then on the runs keep out of each
 * other's way: each goes on at a place of the fleet chosen at random, and looks first what others have done there, in
 * one query. Where somebody is at work it goes to another place, as long as there is one; the last places are shared,
 * from behind.
 *
 * Nobody needs to know how many runs there are, and one that is killed leaves nothing behind: its places look like any.
 */
export function createSharedQueue(dues: readonly Due[], options: SharedQueueOptions): SharedQueue {
  const ready = [...dues];
  let places: Due[][] = [];
  let here: ReadonlySet<Due> = new Set(dues);
  let filling: Promise<boolean> | undefined;
  const size = Math.min(MOST, Math.max(LEAST, Math.ceil(dues.length / PLACES)));

  /** Goes to the next place where nobody is at work; where somebody is everywhere, to one of those. */
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
    met(due) {
      // What was on its way when the first of a place met somebody says nothing new.
      if (!here.has(due)) return;
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

function inPlaces(dues: readonly Due[], size: number): Due[][] {
  return Array.from({ length: Math.ceil(dues.length / size) }, (_, nth) =>
    dues.slice(nth * size, (nth + 1) * size),
  );
}

/** The same in an order of chance. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, key: random() }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
