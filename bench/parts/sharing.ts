import type { Bench } from '../bench.ts';
import { runNode } from '../child.ts';
import { checkFleet } from '../fleet/census.ts';
import { knexHistory } from '../fleet/histories.ts';
import { findingOf, type Finding } from '../report/finding.ts';
import { median } from '../report/median.ts';
import type { PartResult } from '../report/report.ts';
import { TENANTCTL, tenantctlEnv } from '../rivals/tenantctl.ts';
import { settle } from '../server/server.ts';
import { withWarmFleet } from '../stage.ts';

interface Part {
  readonly totals: { readonly migrated: number; readonly upToDate: number; readonly failed: number };
}

/** One ALTER per tenant by several processes at once, with and without a wait. */
export async function measureSharing(bench: Bench): Promise<PartResult> {
  const { after, afterWait } = bench.projects;
  return {
    measurements: [],
    findings: [
      ...(await measureWork(bench, 'add', after.folder)),
      ...(await measureWork(bench, 'add after a wait of 20 ms', afterWait.folder)),
    ],
    notes: [
      'Each process works on 4 tenants at once. All processes share the cores with the server, and each has its own start-up.',
    ],
  };
}

async function measureWork(bench: Bench, work: string, folder: string): Promise<Finding[]> {
  const { processes, rounds, sharedTenants: tenants } = bench.settings;
  const times = new Map<number, number[]>();
  const shares = new Map<number, number[]>();
  const named = (count: number) => `${work}, ${count} ${count === 1 ? 'process' : 'processes'}`;
  for (let round = 1; round <= rounds; round += 1) {
    for (const count of processes) {
      const { ms, migrated } = await share(bench, folder, tenants, count);
      times.set(count, [...(times.get(count) ?? []), ms]);
      shares.set(count, [...(shares.get(count) ?? []), (100 * Math.min(...migrated) * count) / tenants]);
      bench.say(
        `round ${round}: ${tenants} tenants, ${named(count)}: ${(ms / 1000).toFixed(2)} s (${migrated.join(' + ')})`,
      );
    }
  }
  return processes.flatMap((count): Finding[] => [
    {
      what: `${named(count)}: time until the last one has ended`,
      tenants,
      unit: 's',
      value: median(times.get(count) ?? []) / 1000,
    },
    ...findingOf(count === 1 ? undefined : median(shares.get(count) ?? []), {
      what: `${named(count)}: smallest part of one, relative to an equal part`,
      tenants,
      unit: '%',
    }),
  ]);
}

async function share(
  bench: Bench,
  folder: string,
  tenants: number,
  count: number,
): Promise<{ ms: number; migrated: readonly number[] }> {
  return withWarmFleet(bench, tenants, knexHistory, async (fleet) => {
    await settle(bench.server);
    const started = performance.now();
    const parts = await Promise.all(
      Array.from({ length: count }, async () => {
        const { stdout } = await runNode([TENANTCTL, 'migrate', 'tenants', '--json', '--quiet'], {
          cwd: folder,
          env: tenantctlEnv(fleet.url),
        });
        return (JSON.parse(stdout) as Part).totals;
      }),
    );
    const ms = performance.now() - started;
    const migrated = parts.map((totals) => totals.migrated);
    const sum = migrated.reduce((total, each) => total + each, 0);
    if (sum !== tenants)
      throw new Error(`${count} processes migrated ${migrated.join(' + ')} of ${tenants} tenants`);
    await checkFleet(fleet.url, fleet.tenants, {
      history: knexHistory,
      initialized: tenants,
      added: tenants,
    });
    return { ms, migrated };
  });
}
