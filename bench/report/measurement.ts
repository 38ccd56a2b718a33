import type { Effort, RivalName } from '../rivals/rival.ts';
import { median } from './median.ts';

/**
 * `no-op`: nothing pending. `status`: `tenantctl status --json`. `add`: one ALTER TABLE … ADD COLUMN. `init`:
 * three migrations into empty schemas. `provision`: the same, including schema and registry row; also with 25 tables.
 */
export type Work = 'no-op' | 'status' | 'add' | 'init' | 'provision' | 'provision, 25 tables';

export interface Task {
  readonly work: Work;
  readonly tenants: number;
  /** Parallel tenants; null if left to the program. */
  readonly concurrency: number | null;
  /** Simulated network round trip in milliseconds; 0 without one. */
  readonly roundTripMs: number;
}

export interface Measurement extends Task, Effort {
  readonly rival: RivalName;
  readonly round: number;
  /** Number of tenants served. If fewer than `tenants`, `ms` is extrapolated. */
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

/** Extrapolates to the whole fleet: start-up once, the rest in proportion. @returns milliseconds */
export function extrapolate(ms: number, startUpMs: number, served: number, tenants: number): number {
  return served === tenants ? ms : startUpMs + ((ms - startUpMs) * tenants) / served;
}

type Cost = (measurement: Measurement) => number | undefined;

const timeOf: Cost = ({ ms }) => ms;
export const serverCpuOf: Cost = ({ serverCpuMs }) => serverCpuMs;

/** Median of a rival's rounds in milliseconds; undefined if it took no part. */
export function medianMs(
  measurements: readonly Measurement[],
  rival: RivalName,
  costOf = timeOf,
): number | undefined {
  const own = measurements.flatMap((each) => (each.rival === rival ? (costOf(each) ?? []) : []));
  return own.length === 0 ? undefined : median(own);
}

/**
 * The time of `other`, or another cost, relative to `rival`: the median of the rounds' ratios, because a slow round slows both.
 * Undefined if one took no part.
 */
export function ratio(
  measurements: readonly Measurement[],
  other: RivalName,
  rival: RivalName,
  costOf = timeOf,
): number | undefined {
  const rounds = [...Map.groupBy(measurements, ({ round }) => round).values()];
  const ratios = rounds.flatMap((round) => {
    const mine = medianMs(round, rival, costOf);
    const others = medianMs(round, other, costOf);
    return mine === undefined || others === undefined ? [] : [others / mine];
  });
  return ratios.length === 0 ? undefined : median(ratios);
}

/** The share of one core used, in percent: the median of a program's rounds. */
export function cpuShare(measurements: readonly Measurement[], rival: RivalName): number | undefined {
  const shares = measurements.flatMap(({ rival: name, ms, cpuMs }) =>
    name === rival && cpuMs !== undefined ? [(100 * cpuMs) / ms] : [],
  );
  return shares.length === 0 ? undefined : median(shares);
}
