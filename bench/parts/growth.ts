import { rotated, type Bench } from '../bench.ts';
import { knexHistory } from '../fleet/histories.ts';
import { thousands } from '../report/figure.ts';
import type { Measurement } from '../report/measurement.ts';
import type { PartResult } from '../report/report.ts';
import { knexPerTenant, PEERS } from '../rivals/peers.ts';
import { bareAdd, dealOut, runPsqls } from '../rivals/psql.ts';
import type { Peer } from '../rivals/rival.ts';
import { migrateTenants, status } from '../rivals/tenantctl.ts';
import { measure, servedByPeer, withWarmFleet } from '../stage.ts';
import { judgeGrowth } from './growth-findings.ts';
import { weighNoOp, type NoOpWeight } from './no-op-weight.ts';

/** A no-op and an add over a fleet of that size, on its own copy. */
type Contender = (bench: Bench, tenants: number, round: number) => Promise<Measurement[]>;

/** Above this size there is one round, with Knex as the only peer: each copy takes minutes. */
const LARGE = 10_000;

/** No-op, and one ALTER per tenant, by every rival at growing fleet sizes. */
export async function measureGrowth(bench: Bench): Promise<PartResult> {
  const { growth, rounds, sample } = bench.settings;
  const measurements: Measurement[] = [];
  const weights = new Map<number, NoOpWeight>();
  for (const tenants of growth) {
    const peers = tenants > LARGE ? [knexPerTenant] : PEERS;
    const contenders = [tenantctl(weights), ...peers.map(peer), ...(bench.hasPsql ? [psql] : [])];
    for (let round = 1; round <= (tenants > LARGE ? 1 : rounds); round += 1)
      for (const contender of rotated(contenders, round))
        measurements.push(...(await contender(bench, tenants, round)));
    bench.fleets.discard(tenants);
  }
  const isLarge = Math.max(...growth) > LARGE;
  return {
    measurements,
    findings: judgeGrowth(measurements, weights),
    notes: [
      `The other tools serve at most the first ${sample} tenants of a fleet; values marked ≈ are extrapolated from these.`,
      ...(isLarge
        ? [`Fleets of more than ${thousands(LARGE)} tenants: one round, with Knex as the only other tool.`]
        : []),
    ],
  };
}

/** Also measures the no-op's weight in the first round. */
function tenantctl(weights: Map<number, NoOpWeight>): Contender {
  return (bench, tenants, round) =>
    withWarmFleet(bench, tenants, knexHistory, async (fleet) => {
      const { before, after } = bench.projects;
      const { concurrency } = bench.settings;
      const turn = { rival: 'tenantctl', tenants, round, roundTripMs: 0 } as const;
      const noOp = (url: string) =>
        migrateTenants({ url, folder: before.folder, expect: { upToDate: tenants } });
      const look = (url: string) => status(url, before.folder, tenants);
      const measurements = [
        await measure(bench, fleet, {
          ...turn,
          work: 'no-op',
          concurrency: null,
          after: stateAt(tenants, 0),
          run: noOp,
        }),
        await measure(bench, fleet, {
          ...turn,
          work: 'status',
          concurrency: null,
          after: stateAt(tenants, 0),
          run: look,
        }),
      ];
      if (round === 1) weights.set(tenants, await weighNoOp(bench, fleet, noOp, look));
      measurements.push(
        await measure(bench, fleet, {
          ...turn,
          work: 'add',
          concurrency,
          after: stateAt(tenants, tenants),
          run: (url) =>
            migrateTenants({ url, folder: after.folder, concurrency, expect: { migrated: tenants } }),
        }),
      );
      return measurements;
    });
}

function peer(rival: Peer): Contender {
  return (bench, tenants, round) =>
    withWarmFleet(bench, tenants, rival.history, async (fleet) => {
      const { before, after } = bench.projects;
      const { concurrency, sample } = bench.settings;
      const served = Math.min(sample, tenants);
      const turn = { rival: rival.name, tenants, served, round, roundTripMs: 0 };
      const assignment = { tenants, first: served, concurrency };
      return [
        await measure(bench, fleet, {
          ...turn,
          work: 'no-op',
          concurrency: null,
          after: { history: rival.history, initialized: tenants, added: 0 },
          run: (url) => servedByPeer(rival, { url, project: before, ...assignment }),
        }),
        await measure(bench, fleet, {
          ...turn,
          work: 'add',
          concurrency,
          after: { history: rival.history, initialized: tenants, added: served },
          run: (url) => servedByPeer(rival, { url, project: after, ...assignment }),
        }),
      ];
    });
}

const psql: Contender = (bench, tenants, round) =>
  withWarmFleet(bench, tenants, knexHistory, async (fleet) => {
    const { concurrency } = bench.settings;
    return [
      await measure(bench, fleet, {
        work: 'add',
        rival: 'psql',
        tenants,
        round,
        concurrency,
        roundTripMs: 0,
        after: stateAt(tenants, tenants),
        run: (url) => runPsqls(url, dealOut(fleet.tenants.map(bareAdd), concurrency)),
      }),
    ];
  });

function stateAt(initialized: number, added: number) {
  return { history: knexHistory, initialized, added };
}
