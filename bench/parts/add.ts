import { rotated, type Bench } from '../bench.ts';
import { knexHistory } from '../fleet/histories.ts';
import { benchTenants } from '../fleet/tenants.ts';
import { counted } from '../../src/wording.ts';
import { findingOf, type Finding } from '../report/finding.ts';
import { cpuShare, ratio, type Measurement } from '../report/measurement.ts';
import type { PartResult } from '../report/report.ts';
import { knexPerTenant } from '../rivals/peers.ts';
import { bareAdd, dealOut, runPsqls } from '../rivals/psql.ts';
import type { Effort, RivalName } from '../rivals/rival.ts';
import { migrateTenants } from '../rivals/tenantctl.ts';
import { measure, servedByPeer, withWarmFleet } from '../stage.ts';
import { captureAdd } from '../wire/capture-add.ts';
import type { CapturedStrings } from '../wire/captured-strings.ts';
import { replay, toReplay, type Replay } from '../wire/replay.ts';

interface Contender {
  readonly rival: RivalName;
  readonly served: number;
  readonly run: (url: string) => Promise<Effort>;
}

/** One ALTER per tenant, sequential and parallel, compared with psql sending the same. */
export async function measureAdd(bench: Bench): Promise<PartResult> {
  const { settings } = bench;
  const parts: PartResult[] = [];
  for (const concurrency of new Set([1, settings.concurrency]))
    parts.push(await measureAt(bench, concurrency));
  return {
    measurements: parts.flatMap(({ measurements }) => measurements),
    findings: parts.flatMap(({ findings }) => findings),
    notes: parts.flatMap(({ notes }) => notes),
  };
}

async function measureAt(bench: Bench, concurrency: number): Promise<PartResult> {
  const { tenants, rounds } = bench.settings;
  const captured = bench.hasPsql ? await captureAdd(bench, concurrency) : undefined;
  const again = captured && (await toReplay(captured));
  const measurements: Measurement[] = [];
  for (let round = 1; round <= rounds; round += 1)
    for (const contender of rotated(contenders(bench, concurrency, again), round))
      measurements.push(
        await withWarmFleet(bench, tenants, knexHistory, (fleet) =>
          measure(bench, fleet, {
            work: 'add',
            tenants,
            concurrency,
            roundTripMs: 0,
            round,
            ...contender,
            after: { history: knexHistory, initialized: tenants, added: contender.served },
          }),
        ),
      );
  return {
    measurements,
    findings: judge(measurements, tenants, concurrency),
    notes: captured === undefined ? [] : [noteOn(captured, tenants, concurrency)],
  };
}

function contenders(bench: Bench, concurrency: number, again: Replay | undefined): Contender[] {
  const { after } = bench.projects;
  const { tenants, sample } = bench.settings;
  const first = Math.min(sample, tenants);
  const own: Contender[] = [
    {
      rival: 'tenantctl',
      served: tenants,
      run: (url) => migrateTenants({ url, folder: after.folder, concurrency, expect: { migrated: tenants } }),
    },
    {
      rival: 'knex',
      served: first,
      run: (url) => servedByPeer(knexPerTenant, { url, project: after, tenants, first, concurrency }),
    },
  ];
  if (again === undefined) return own;
  const strings = benchTenants(tenants).map(bareAdd);
  return [
    ...own,
    { rival: 'psql-same', served: tenants, run: (url) => replay(url, again) },
    { rival: 'psql', served: tenants, run: (url) => runPsqls(url, dealOut(strings, concurrency)) },
  ];
}

function noteOn({ connections, missing }: CapturedStrings, tenants: number, concurrency: number): string {
  const strings = connections.flatMap((each) => each.tenants).length;
  return (
    `The same strings, ${concurrency} at once: ${strings} strings for ${counted(tenants - missing.length, 'tenant')} over ${counted(connections.length, 'connection')}; ` +
    `${counted(missing.length, 'tenant', 'was')} sent bound parameters by tenantctl, and bare statements by psql.`
  );
}

function judge(measurements: readonly Measurement[], tenants: number, concurrency: number): Finding[] {
  const about = (what: string) => `add, ${concurrency} at once: ${what}`;
  const bar = (kind: 'at least' | 'at most', limit: number) => ({ kind, limit, tenants: 1000 });
  return [
    ...findingOf(ratio(measurements, 'tenantctl', 'psql-same'), {
      what: about('times as long as psql with the same strings'),
      tenants,
      unit: '×',
      bar: bar('at most', 1.5),
    }),
    ...findingOf(ratio(measurements, 'tenantctl', 'psql'), {
      what: about('times as long as psql with the bare statements'),
      tenants,
      unit: '×',
      bar: bar('at most', 2.2),
    }),
    ...findingOf(ratio(measurements, 'knex', 'tenantctl'), {
      what: about('times as fast as Knex per tenant'),
      tenants,
      unit: '×',
      bar: bar('at least', 12),
    }),
    ...findingOf(cpuShare(measurements, 'tenantctl'), {
      what: about('CPU time of the client, as a share of one core'),
      tenants,
      unit: '%',
    }),
  ];
}
