import type { Effort, RivalName } from '../rivals/rival.ts';
import { median } from './median.ts';

/**
 * `no-op`: nothing is pending. `status`: `tenantctl status --json`. `add`: one ALTER TABLE … ADD COLUMN. `init`: three
 * migrations into empty schemas. `provision`: the same, with the schema and the row of the registry.
 */
export type Work = 'no-op' | 'status' | 'add' | 'init' | 'provision';

/** What was to be done, whoever did it. */
export interface Task {
  readonly work: Work;
  /** The size of the fleet. */
  readonly tenants: number;
  /** Tenants at once; null where it was left to the program. */
  readonly concurrency: number | null;
  /** The round trip of the wire in between, milliseconds; 0 where there was none. */
  readonly roundTripMs: number;
}

/** One rival doing one task once. */
export interface Measurement extends Task, Effort {
  readonly rival: RivalName;
  readonly round: number;
  /** The tenants that were served. Where these are fewer than `tenants`, `ms` has been extrapolated from them. */
  readonly served: number;
}

export function isSameTask(a: Task, b: Task): boolean {
  return (
    a.work === b.work &&
    a.tenants === b.tenants &&
    a.concurrency === b.concurrency &&
    a.roundTripMs === b.roundTripMs
  );
}

/** What the whole fleet would have taken: the start-up once, the rest in proportion. @returns milliseconds */
export function extrapolate(ms: number, startUpMs: number, served: number, tenants: number): number {
  return served === tenants ? ms : startUpMs + ((ms - startUpMs) * tenants) / served;
}

/** The median of a rival's rounds, milliseconds; undefined where it took no part. */
export function medianMs(measurements: readonly Measurement[], rival: RivalName): number | undefined {
  const own = measurements.filter((each) => each.rival === rival);
  return own.length === 0 ? undefined : median(own.map(({ ms }) => ms));
}

/**
 * How many times as long as `rival` the `other` takes: the median of the rounds' ratios, because what slows a whole
 * round down slows both. Undefined where one of them took no part.
 */
export function ratio(
  measurements: readonly Measurement[],
  other: RivalName,
  rival: RivalName,
): number | undefined {
  const rounds = [...Map.groupBy(measurements, ({ round }) => round).values()];
  const ratios = rounds.flatMap((round) => {
    const mine = medianMs(round, rival);
    const others = medianMs(round, other);
    return mine === undefined || others === undefined ? [] : [others / mine];
  });
  return ratios.length === 0 ? undefined : median(ratios);
}

/** The share of one core that a program kept busy while it ran, percent: the median of its rounds. */
export function cpuShare(measurements: readonly Measurement[], rival: RivalName): number | undefined {
  const shares = measurements.flatMap(({ rival: name, ms, cpuMs }) =>
    name === rival && cpuMs !== undefined ? [(100 * cpuMs) / ms] : [],
  );
  return shares.length === 0 ? undefined : median(shares);
}
