import { availableParallelism, platform } from 'node:os';
import type { Measurement } from './round.ts';
import type { Rival, WorkName } from './rivals.ts';
import type { StartUp } from './start-up.ts';

/** Everything that a run of the benchmark found out. */
export interface Report {
  readonly machine: {
    readonly cores: number;
    readonly platform: string;
    readonly node: string;
    readonly server: string;
    readonly psql: string | null;
    readonly date: string;
  };
  readonly tenants: number;
  readonly concurrency: number;
  readonly rounds: number;
  /** The network that was imitated; null where the rivals spoke to the server directly. */
  readonly roundTripMs: number | null;
  readonly measurements: readonly Measurement[];
  readonly startUp: StartUp;
  /** Medians in ms, by work and rival. */
  readonly medians: Readonly<Record<string, Readonly<Partial<Record<Rival['name'], number>>>>>;
  /** How many times as fast as Knex per tenant tenantctl is. */
  readonly ratios: Readonly<Record<string, number>>;
  /** How many times as long as `node -e 0` `tenantctl --help` takes. */
  readonly helpRatio: number;
}

export function describeMachine(server: string, psql: string | undefined): Report['machine'] {
  return {
    cores: availableParallelism(),
    platform: platform(),
    node: process.versions.node,
    server,
    psql: psql ?? null,
    date: new Date().toISOString().slice(0, 10),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Works out medians and ratios. A ratio is the median of the rounds' ratios: what disturbs a round disturbs both. */
export function toReport(facts: Omit<Report, 'medians' | 'ratios' | 'helpRatio'>): Report {
  const medians: Record<string, Partial<Record<Rival['name'], number>>> = {};
  const ratios: Record<string, number> = {};
  for (const [work, measured] of byWork(facts.measurements)) {
    const byRival = Map.groupBy(measured, ({ rival }) => rival);
    medians[work] = Object.fromEntries(
      [...byRival].map(([rival, each]) => [rival, median(each.map(({ ms }) => ms))]),
    );
    const rounds = Map.groupBy(measured, ({ round }) => round);
    ratios[work] = median(
      [...rounds.values()].map((round) => timeOf(round, 'knex') / timeOf(round, 'tenantctl')),
    );
  }
  return {
    ...facts,
    medians,
    ratios,
    helpRatio: median(facts.startUp.help) / median(facts.startUp.node),
  };
}

function byWork(measurements: readonly Measurement[]): Map<WorkName, Measurement[]> {
  return Map.groupBy(measurements, ({ work }) => work);
}

function timeOf(round: readonly Measurement[], rival: Rival['name']): number {
  return round.find((each) => each.rival === rival)?.ms ?? Number.NaN;
}

/** The report as Markdown, ready for docs/performance.md. */
export function render(report: Report): string {
  const { machine, tenants, concurrency, rounds, roundTripMs } = report;
  const names =
    machine.psql === null ? (['tenantctl', 'knex'] as const) : (['tenantctl', 'knex', 'psql'] as const);
  const titles = { tenantctl: 'tenantctl', knex: 'Knex per tenant', psql: 'limit: psql' };
  const isCounted = roundTripMs !== null;
  const header = [
    `${tenants} tenants, ${concurrency} at once`,
    ...names.map((name) => titles[name]),
    'tenantctl is faster than Knex',
    ...(isCounted ? ['round trips per tenant, tenantctl / Knex'] : []),
  ];
  const rows = [...byWork(report.measurements)].map(([work, measured]) => [
    work,
    ...names.map((name) => seconds(report.medians[work]?.[name])),
    `${report.ratios[work]?.toFixed(1)} ×`,
    ...(isCounted
      ? [
          names
            .slice(0, 2)
            .map((name) => perTenant(measured, name, tenants))
            .join(' / '),
        ]
      : []),
  ]);
  const { node, help } = report.startUp;
  return [
    ...toTable([header, ...rows]),
    '',
    `tenantctl --help: ${median(help).toFixed(0)} ms; node -e 0: ${median(node).toFixed(0)} ms (medians of ${node.length}): ${report.helpRatio.toFixed(1)} times as long.`,
    ...(machine.psql === null ? ['No psql on the PATH: the limit is left out.'] : []),
    '',
    `${machine.date}, ${machine.cores} cores, ${machine.platform}, Node ${machine.node}, PostgreSQL ${machine.server} with fsync on, loopback${isCounted ? ` with a round trip of ${roundTripMs} ms` : ''}; medians of ${rounds} ${rounds === 1 ? 'round' : 'rounds'}.`,
  ].join('\n');
}

function seconds(ms: number | undefined): string {
  if (ms === undefined) return '–';
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

function perTenant(measured: readonly Measurement[], name: Rival['name'], tenants: number): string {
  const counts = measured
    .filter(({ rival }) => rival === name)
    .map(({ exchanges }) => exchanges ?? Number.NaN);
  return (median(counts) / tenants).toFixed(2);
}

function toTable(rows: readonly (readonly string[])[]): string[] {
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, at) =>
    Math.max(...rows.map((row) => (row[at] ?? '').length)),
  );
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  const [header = [], ...body] = rows;
  return [line(header), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...body.map(line)];
}
