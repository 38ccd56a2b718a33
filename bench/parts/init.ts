import { rotated, type Bench } from '../bench.ts';
import { createFleets, type FleetDatabase, type Fleets } from '../fleet/fleets.ts';
import type { Content } from '../fleet/census.ts';
import { knexHistory } from '../fleet/histories.ts';
import { findingOf } from '../report/finding.ts';
import { cpuShare, ratio, serverCpuOf, type Measurement } from '../report/measurement.ts';
import type { PartResult } from '../report/report.ts';
import { knexPerTenant } from '../rivals/peers.ts';
import { bareInit, bareProvision, dealOut, runPsqls } from '../rivals/psql.ts';
import type { Effort, RivalName } from '../rivals/rival.ts';
import { migrateTenants, provision } from '../rivals/tenantctl.ts';
import { withServerCpu } from '../server/server-cpu.ts';
import { measure, servedByPeer } from '../stage.ts';

interface Contender {
  readonly work: 'init' | ProvisionWork;
  readonly rival: RivalName;
  readonly concurrency: number | null;
  readonly served: number;
  readonly run: (fleet: FleetDatabase, url: string) => Promise<Effort>;
}

type ProvisionWork = 'provision' | 'provision, 25 tables';

/** 25 tables with primary keys, unique keys and indexes. */
const WIDE_CONTENT: Content = { tables: 25, indexes: 75, foreignKeys: 24, migrations: 1 };

/** Migrations into new schemas: three into existing empty ones, and small and large ones that the command creates. */
export async function measureInit(bench: Bench): Promise<PartResult> {
  const { newTenants: tenants, rounds, concurrency } = bench.settings;
  // The copies stay until the server's end: see `drops`.
  const fleets = createFleets(bench.server, bench.projects, bench.say, { prefix: 'init_', drops: 'end' });
  const measurements: Measurement[] = [];
  for (let round = 1; round <= rounds; round += 1)
    for (const contender of [
      ...rotated(fillers(bench), round),
      ...rotated(provisioners(bench, 'provision'), round),
      ...rotated(provisioners(bench, 'provision, 25 tables'), round),
    ])
      measurements.push(await measureOne(bench, fleets, contender, round));
  const init = measurements.filter(({ work }) => work === 'init');
  const provisioned = measurements.filter(({ work }) => work === 'provision');
  const wide = measurements.filter(({ work }) => work === 'provision, 25 tables');
  const limit = { tenants, unit: '×', bar: { kind: 'at most', limit: 1.4, tenants: 1000 } } as const;
  const cpu = { tenants, unit: '%', bar: { kind: 'at most', limit: 25, tenants: 1000 } } as const;
  return {
    measurements,
    findings: [
      ...findingOf(ratio(init, 'tenantctl', 'psql'), {
        what: `init, ${concurrency} at once: times as long as psql`,
        ...limit,
      }),
      ...findingOf(ratio(init, 'knex', 'tenantctl'), {
        what: `init, ${concurrency} at once: times as fast as Knex per tenant`,
        tenants,
        unit: '×',
      }),
      ...findingOf(ratio(provisioned, 'tenantctl', 'psql'), {
        what: `provision: times as long as ${concurrency} psqls`,
        ...limit,
      }),
      ...findingOf(ratio(wide, 'tenantctl', 'psql'), {
        what: `provision of 25 tables: times as long as ${concurrency} psqls`,
        ...limit,
      }),
      ...findingOf(ratio(provisioned, 'tenantctl', 'psql', serverCpuOf), {
        what: 'provision: CPU time of the server, times that of psql',
        tenants,
        unit: '×',
      }),
      ...findingOf(ratio(wide, 'tenantctl', 'psql', serverCpuOf), {
        what: 'provision of 25 tables: CPU time of the server, times that of psql',
        tenants,
        unit: '×',
      }),
      ...findingOf(cpuShare(init, 'tenantctl'), {
        what: 'init: CPU time of the client, as a share of one core',
        ...cpu,
      }),
      ...findingOf(cpuShare(provisioned, 'tenantctl'), {
        what: 'provision: CPU time of the client, as a share of one core',
        tenants,
        unit: '%',
      }),
    ],
    notes: [],
  };
}

async function measureOne(
  bench: Bench,
  fleets: Fleets,
  { run, ...contender }: Contender,
  round: number,
): Promise<Measurement> {
  const tenants = bench.settings.newTenants;
  const kind = contender.work === 'init' ? 'registered' : 'unknown';
  return fleets.withCopy({ kind, history: knexHistory, tenants }, (fleet) =>
    measure(bench, fleet, {
      tenants,
      roundTripMs: 0,
      round,
      ...contender,
      after: {
        history: knexHistory,
        content: contender.work === 'provision, 25 tables' ? WIDE_CONTENT : undefined,
        initialized: contender.served,
        added: 0,
      },
      run: async (url) => {
        const { result, serverCpuMs } = await withServerCpu(bench.server, () => run(fleet, url));
        return { ...result, serverCpuMs };
      },
    }),
  );
}

function fillers(bench: Bench): Contender[] {
  const { before } = bench.projects;
  const { newTenants: tenants, concurrency, sample } = bench.settings;
  const first = Math.min(sample, tenants);
  const shared = { work: 'init', concurrency, served: tenants } as const;
  const own: Contender[] = [
    {
      ...shared,
      rival: 'tenantctl',
      run: (_, url) =>
        migrateTenants({ url, folder: before.folder, concurrency, expect: { migrated: tenants } }),
    },
    {
      ...shared,
      rival: 'knex',
      served: first,
      run: (_, url) => servedByPeer(knexPerTenant, { url, project: before, tenants, first, concurrency }),
    },
  ];
  if (!bench.hasPsql) return own;
  const psql: Contender = {
    ...shared,
    rival: 'psql',
    run: (fleet, url) => runPsqls(url, dealOut(fleet.tenants.map(bareInit), concurrency)),
  };
  return [...own, psql];
}

function provisioners(bench: Bench, work: ProvisionWork): Contender[] {
  const { folder, migrations } = bench.projects[work === 'provision' ? 'before' : 'wide'];
  const { newTenants: served, concurrency } = bench.settings;
  const shared = { work, concurrency: null, served } as const;
  const own: Contender = {
    ...shared,
    rival: 'tenantctl',
    run: (fleet, url) =>
      provision(
        url,
        folder,
        fleet.tenants.map(({ organization }) => organization),
      ),
  };
  if (!bench.hasPsql) return [own];
  const psql: Contender = {
    ...shared,
    rival: 'psql',
    run: (fleet, url) => {
      const strings = fleet.tenants.map((tenant) => bareProvision(tenant, migrations));
      return runPsqls(url, dealOut(strings, concurrency));
    },
  };
  return [own, psql];
}
