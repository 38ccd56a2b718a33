import type { Bench } from '../bench.ts';
import { knexHistory } from '../fleet/histories.ts';
import type { PartResult } from '../report/report.ts';
import { migrateTenants, status } from '../rivals/tenantctl.ts';
import { withWarmFleet } from '../stage.ts';
import type { Traffic } from '../wire/conversation.ts';
import { countTraffic } from '../wire/wire.ts';

interface Counted {
  readonly 'no-op': Traffic;
  readonly status: Traffic;
  readonly add: Traffic;
}

/** Network traffic at two fleet sizes. Counts, not times, so valid on every machine. */
export async function measureCounts(bench: Bench): Promise<PartResult> {
  const [few, many] = bench.settings.counts;
  const small = await countFleet(bench, few);
  const large = await countFleet(bench, many);
  const perTenant = (count: (traffic: Traffic) => number) =>
    (count(large.add) - count(small.add)) / (many - few);
  const shared = { unit: '', isCount: true } as const;
  return {
    measurements: [],
    findings: [
      {
        what: `no-op: queries for ${many} tenants, beyond the ${small['no-op'].queries} for ${few}`,
        value: large['no-op'].queries - small['no-op'].queries,
        bar: { kind: 'at most', limit: 0 },
        ...shared,
      },
      {
        what: `\`status\`: queries for ${many} tenants, beyond the ${small.status.queries} for ${few}`,
        value: large.status.queries - small.status.queries,
        bar: { kind: 'at most', limit: 0 },
        ...shared,
      },
      {
        what: `add, one at a time: round trips per additional tenant, from ${few} to ${many}`,
        value: perTenant(({ roundTrips }) => roundTrips),
        bar: { kind: 'at most', limit: 2 },
        ...shared,
      },
      {
        what: `add, one at a time: requests per additional tenant, from ${few} to ${many}`,
        value: perTenant(({ requests }) => requests),
        ...shared,
      },
    ],
    notes: [],
  };
}

async function countFleet(bench: Bench, tenants: number): Promise<Counted> {
  const { before, after } = bench.projects;
  return withWarmFleet(bench, tenants, knexHistory, async ({ url }) => {
    const expect = { upToDate: tenants };
    const counted = {
      'no-op': await countTraffic(url, (through) =>
        migrateTenants({ url: through, folder: before.folder, expect }),
      ),
      status: await countTraffic(url, (through) => status(through, before.folder, tenants)),
      add: await countTraffic(url, (through) =>
        migrateTenants({
          url: through,
          folder: after.folder,
          concurrency: 1,
          expect: { migrated: tenants },
        }),
      ),
    };
    for (const [work, { queries, requests, roundTrips }] of Object.entries(counted))
      bench.say(
        `${work}, ${tenants} tenants: ${queries} queries, ${requests} requests, ${roundTrips} round trips`,
      );
    return counted;
  });
}
