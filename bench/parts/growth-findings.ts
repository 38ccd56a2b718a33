import { thousands } from '../report/figure.ts';
import { findingOf, type Finding } from '../report/finding.ts';
import { cpuShare, medianMs, ratio, type Measurement } from '../report/measurement.ts';
import { median } from '../report/median.ts';
import type { NoOpWeight } from './no-op-weight.ts';

/** The sizes that the bars apply to. */
const LARGE = 10_000;
const HUGE = 50_000;

const MEGABYTE = 1_000_000;

/** Compares growing fleets with the bars. */
export function judgeGrowth(
  measurements: readonly Measurement[],
  weights: ReadonlyMap<number, NoOpWeight>,
): Finding[] {
  const bySize = Map.groupBy(measurements, ({ tenants }) => tenants);
  const largest = Math.max(...bySize.keys());
  const of = (tenants: number, work: Measurement['work']) =>
    (bySize.get(tenants) ?? []).filter((each) => each.work === work);
  return [
    ...[...bySize.keys()].flatMap((tenants) => [
      ...judgeNoOp(tenants, of(tenants, 'no-op'), of(tenants, 'status')),
      ...judgeWeight(tenants, of(tenants, 'no-op'), weights.get(tenants)),
      ...findingOf(ratio(of(tenants, 'add'), 'knex', 'tenantctl'), {
        what: 'add: times as fast as Knex per tenant',
        tenants,
        unit: '×',
      }),
    ]),
    ...judgeHuge('no-op', of(LARGE, 'no-op'), of(HUGE, 'no-op')),
    ...judgeHuge('`status --json`', of(LARGE, 'status'), of(HUGE, 'status')),
    ...findingOf(cpuShare(of(largest, 'add'), 'tenantctl'), {
      what: 'add over the largest fleet: CPU time of the client, as a share of one core',
      tenants: largest,
      unit: '%',
      bar: { kind: 'at most', limit: 25, tenants: Math.max(LARGE, largest) },
    }),
  ];
}

function judgeNoOp(tenants: number, noOp: readonly Measurement[], status: readonly Measurement[]): Finding[] {
  const inSeconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000);
  const time = { tenants, unit: 's', bar: { kind: 'at most', limit: 1.5, tenants: LARGE } } as const;
  const times = { tenants, unit: '×', bar: { kind: 'at least', limit: 150, tenants: LARGE } } as const;
  // Knex has no status command: its no-op examines every tenant.
  const knex = noOp.filter(({ rival }) => rival === 'knex');
  return [
    ...findingOf(inSeconds(medianMs(noOp, 'tenantctl')), { what: 'no-op: time', ...time }),
    ...findingOf(ratio(noOp, 'knex', 'tenantctl'), {
      what: 'no-op: times as fast as Knex per tenant',
      ...times,
    }),
    ...findingOf(inSeconds(medianMs(status, 'tenantctl')), { what: '`status --json`: time', ...time }),
    ...findingOf(ratio([...status, ...knex], 'knex', 'tenantctl'), {
      what: "`status --json`: times as fast as Knex's no-op",
      ...times,
    }),
  ];
}

function judgeWeight(
  tenants: number,
  noOp: readonly Measurement[],
  weight: NoOpWeight | undefined,
): Finding[] {
  const rss = noOp.flatMap(({ rival, maxRssBytes }) =>
    rival === 'tenantctl' && maxRssBytes !== undefined ? [maxRssBytes / MEGABYTE] : [],
  );
  return [
    ...findingOf(weight?.queries, { what: 'no-op: queries', tenants, unit: '' }),
    ...findingOf(weight?.statusQueries, { what: '`status --json`: queries', tenants, unit: '' }),
    {
      what: 'no-op: peak memory of the client',
      tenants,
      value: median(rss),
      unit: 'MB',
      bar: { kind: 'at most', limit: 150, tenants: HUGE },
    },
    ...findingOf(weight?.backendBytes === undefined ? undefined : weight.backendBytes / MEGABYTE, {
      what: 'no-op: growth of the largest backend of the server',
      tenants,
      unit: 'MB',
    }),
  ];
}

function judgeHuge(what: string, large: readonly Measurement[], huge: readonly Measurement[]): Finding[] {
  const largeMs = medianMs(large, 'tenantctl');
  const hugeMs = medianMs(huge, 'tenantctl');
  return findingOf(largeMs === undefined || hugeMs === undefined ? undefined : hugeMs / largeMs, {
    what: `${what}: times as long as over ${thousands(LARGE)} tenants`,
    tenants: HUGE,
    unit: '×',
    bar: { kind: 'at most', limit: 5, tenants: HUGE },
  });
}
