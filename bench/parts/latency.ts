import { rotated, type Bench } from '../bench.ts';
import { knexHistory } from '../fleet/histories.ts';
import { benchTenants } from '../fleet/tenants.ts';
import { findingOf } from '../report/finding.ts';
import { ratio, type Measurement } from '../report/measurement.ts';
import type { PartResult } from '../report/report.ts';
import { knexPerTenant } from '../rivals/peers.ts';
import { bareAdd, runPsqls } from '../rivals/psql.ts';
import type { Effort, RivalName } from '../rivals/rival.ts';
import { migrateTenants } from '../rivals/tenantctl.ts';
import { measure, servedByPeer, withWarmFleet } from '../stage.ts';
import { trafficOf, type Traffic } from '../wire/conversation.ts';
import { measureRoundTrip, withWire } from '../wire/wire.ts';

/** Enough at a tenth of a second per tenant. */
const KNEX_SAMPLE = 200;

interface Contender {
  readonly rival: RivalName;
  readonly served: number;
  readonly run: (url: string) => Promise<Effort>;
}

/** One ALTER per tenant in sequence, over a simulated network. */
export async function measureLatency(bench: Bench): Promise<PartResult> {
  const { tenants, rounds, roundTripMs } = bench.settings;
  const real = await withWire(bench.server.url, roundTripMs, ({ url }) => measureRoundTrip(url));
  const measurements: Measurement[] = [];
  let sent: Traffic | undefined;
  for (let round = 1; round <= rounds; round += 1)
    for (const { run, ...contender } of rotated(contenders(bench), round))
      await withWarmFleet(bench, tenants, knexHistory, async (fleet) => {
        const measurement = await measure(bench, fleet, {
          work: 'add',
          tenants,
          concurrency: 1,
          roundTripMs,
          round,
          ...contender,
          after: { history: knexHistory, initialized: tenants, added: contender.served },
          run: (direct) =>
            withWire(direct, roundTripMs, async ({ url, conversations }) => {
              const effort = await run(url);
              if (contender.rival === 'tenantctl') sent = trafficOf(conversations);
              return effort;
            }),
        });
        measurements.push(measurement);
      });
  const about = (what: string) => `add, one at a time, ${roundTripMs} ms of round trip: ${what}`;
  return {
    measurements,
    findings: [
      ...findingOf(ratio(measurements, 'knex', 'tenantctl'), {
        what: about('times as fast as Knex per tenant'),
        tenants,
        unit: '×',
        bar: { kind: 'at least', limit: 15, tenants: 1000 },
      }),
      ...findingOf(sent && sent.roundTrips / tenants, {
        what: about('round trips per tenant, start-up included'),
        tenants,
        unit: '',
        bar: { kind: 'at most', limit: 2, tenants: 1000 },
      }),
    ],
    notes: [
      `The round trip of ${roundTripMs} ms was really ${real.toFixed(1)} ms, measured with \`SELECT 1\`.`,
    ],
  };
}

function contenders(bench: Bench): Contender[] {
  const { after } = bench.projects;
  const { tenants, sample } = bench.settings;
  const first = Math.min(sample, tenants, KNEX_SAMPLE);
  const strings = benchTenants(tenants).map(bareAdd);
  return [
    {
      rival: 'tenantctl',
      served: tenants,
      run: (url) =>
        migrateTenants({ url, folder: after.folder, concurrency: 1, expect: { migrated: tenants } }),
    },
    {
      rival: 'knex',
      served: first,
      run: (url) => servedByPeer(knexPerTenant, { url, project: after, tenants, first, concurrency: 1 }),
    },
    ...(bench.hasPsql
      ? [
          {
            rival: 'psql' as const,
            served: tenants,
            run: (url: string) => runPsqls(url, [strings.join('\n')]),
          },
        ]
      : []),
  ];
}
