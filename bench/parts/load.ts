import type { Bench } from '../bench.ts';
import { knexHistory } from '../fleet/histories.ts';
import { percentile, underLoad, type Latencies } from '../load/load.ts';
import type { Finding } from '../report/finding.ts';
import { median } from '../report/median.ts';
import type { PartResult } from '../report/report.ts';
import { migrateTenants } from '../rivals/tenantctl.ts';
import { settle } from '../server/server.ts';
import { withWarmFleet } from '../stage.ts';

interface Disturbance {
  readonly name: string;
  /** Parallel tenants; undefined for no run. */
  readonly concurrency: number | undefined;
}

const DISTURBANCES: readonly Disturbance[] = [
  { name: 'with no run beside them', concurrency: undefined },
  { name: 'during add, 4 at once', concurrency: 4 },
  { name: 'during add, 1 at once', concurrency: 1 },
];

/** A run's effect on an application: the latency of queries on the altered tables. */
export async function measureLoad(bench: Bench): Promise<PartResult> {
  const { tenants, rounds, loadMs } = bench.settings;
  const seen = new Map<string, Latencies[]>();
  const runs = new Map<string, number[]>();
  for (let round = 1; round <= rounds; round += 1) {
    for (const { name, concurrency } of DISTURBANCES) {
      const { latencies, ms } = await disturb(bench, tenants, concurrency, loadMs);
      seen.set(name, [...(seen.get(name) ?? []), latencies]);
      runs.set(name, [...(runs.get(name) ?? []), ms]);
      bench.say(
        `round ${round}: ${latencies.ms.length} queries ${name}: half within ${percentile(latencies, 0.5).toFixed(2)} ms, 99 % within ${percentile(latencies, 0.99).toFixed(2)} ms`,
      );
    }
  }
  const findings = DISTURBANCES.flatMap(({ name, concurrency }): Finding[] => {
    const all = seen.get(name) ?? [];
    const at = (share: number) => median(all.map((each) => percentile(each, share)));
    const about = (what: string) => `queries ${name}: ${what}`;
    return [
      { what: about('50 % within'), tenants, value: at(0.5), unit: 'ms' },
      { what: about('99 % within'), tenants, value: at(0.99), unit: 'ms' },
      { what: about('all within'), tenants, value: at(1), unit: 'ms' },
      ...(concurrency === undefined
        ? []
        : [
            {
              what: about('the run took'),
              tenants,
              value: median(runs.get(name) ?? []) / 1000,
              unit: 's' as const,
            },
          ]),
    ];
  });
  return {
    measurements: [],
    findings,
    notes: [
      '200 queries a second, half of them INSERTs, on tables of tenants chosen at random; each is timed from when it was due. The run, the load and the server share the cores.',
    ],
  };
}

async function disturb(
  bench: Bench,
  tenants: number,
  concurrency: number | undefined,
  loadMs: number,
): Promise<{ latencies: Latencies; ms: number }> {
  return withWarmFleet(bench, tenants, knexHistory, async (fleet) => {
    await settle(bench.server);
    let ms = 0;
    const work = async () => {
      if (concurrency === undefined) return;
      const { folder } = bench.projects.after;
      ({ ms } = await migrateTenants({ url: fleet.url, folder, concurrency, expect: { migrated: tenants } }));
    };
    // Stop with the run: afterwards nothing disturbs.
    const latencies = await underLoad(fleet.url, fleet.tenants, work, concurrency === undefined ? loadMs : 0);
    const [error] = latencies.errors;
    if (error !== undefined)
      throw new Error(`${latencies.errors.length} queries failed, the first: ${error}`);
    return { latencies, ms };
  });
}
