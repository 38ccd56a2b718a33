import { foldersTable } from '../folder/folder-table.ts';
import { PARTS, type PartName } from '../settings.ts';
import { figure, thousands } from './figure.ts';
import { verdictOf, type Bar, type Finding } from './finding.ts';
import { isSameTask, medianMs, type Measurement, type Task } from './measurement.ts';
import { toMillion } from './million.ts';
import type { Circumstances, PartResult, Report } from './report.ts';
import { RIVAL_TITLES, RIVALS } from './rival-titles.ts';
import { toTable } from './table.ts';

const TITLES: Readonly<Record<PartName, string>> = {
  growth: 'Fleets of growing size',
  add: 'One ALTER TABLE for each tenant',
  ledger: 'What the ledger of runs costs',
  guard: 'The guard',
  latency: 'The same over a network',
  init: 'New tenants',
  mix: 'Migrations as real projects have them',
  sharing: 'Several processes with the same command',
  load: 'An application that works meanwhile',
  exec: 'One query in every tenant',
  drift: 'Drift',
  calls: 'Calls of an application',
  'start-up': 'Start-up',
  counts: 'What goes over the wire',
};

/** The report as Markdown for docs/performance.md. */
export function toMarkdown({ parts, folders }: Report): string {
  const sections = PARTS.toSorted((a, b) => rank(a) - rank(b)).flatMap((name) => {
    const part = parts[name];
    return part === undefined ? [] : [toSection(TITLES[name], part)];
  });
  if (folders !== undefined)
    sections.push(`### Folders of public projects\n\n${foldersTable(folders)}\n\n${FOLDERS_NOTE}`);
  const million = toMillion(parts.growth?.measurements ?? []);
  if (million !== undefined) sections.push(`### A million tenants, on paper\n\n${million}`);
  return sections.join('\n\n');
}

const FOLDERS_NOTE =
  'Knex: its time for a tenant and the whole folder, one at a time. The other figures are tenantctl’s time, as a multiple of the time of Knex and of psql for the same work; all without start-up. `pnpm bench --folder` prints the full table of a folder.';

function rank(name: PartName): number {
  return Object.keys(TITLES).indexOf(name);
}

function toSection(title: string, part: PartResult & { readonly circumstances: Circumstances }): string {
  return [
    `### ${title}`,
    ...(part.measurements.length > 0 ? [times(part.measurements)] : []),
    findings(part.findings),
    ...part.notes,
    circumstances(part.circumstances, part.measurements.length > 0),
  ].join('\n\n');
}

function times(measurements: readonly Measurement[]): string {
  const tasks = measurements.filter(
    (each, at) => at === measurements.findIndex((other) => isSameTask(each, other)),
  );
  const rivals = RIVALS.filter((name) => measurements.some(({ rival }) => rival === name));
  const header = ['work', 'tenants', 'at once', ...rivals.map((name) => RIVAL_TITLES[name])];
  const rows = tasks.toSorted(byWorkAndSize).map((task) => {
    const own = measurements.filter((each) => isSameTask(each, task));
    const cells = rivals.map((rival) => {
      const isEstimate = own.some((each) => each.rival === rival && each.served < each.tenants);
      return `${isEstimate ? '≈ ' : ''}${seconds(medianMs(own, rival))}`;
    });
    const atOnce = task.concurrency === null ? 'default' : String(task.concurrency);
    return [task.work, thousands(task.tenants), atOnce, ...cells];
  });
  return toTable([header, ...rows]).join('\n');
}

function byWorkAndSize(a: Task, b: Task): number {
  return a.work.localeCompare(b.work) || a.tenants - b.tenants || (a.concurrency ?? 0) - (b.concurrency ?? 0);
}

/** Groups the sizes of one figure. */
function findings(all: readonly Finding[]): string {
  const rows = [...Map.groupBy(all, ({ what }) => what).values()]
    .flat()
    .map((finding) => [
      finding.what,
      finding.tenants === undefined ? '' : thousands(finding.tenants),
      `${figure(finding.value)}${unitOf(finding)}`,
      finding.bar === undefined ? '' : barText(finding, finding.bar),
      verdictText(finding),
    ]);
  return toTable([['figure', 'tenants', 'found', 'bar', ''], ...rows]).join('\n');
}

function barText(finding: Finding, { kind, limit, tenants }: Bar): string {
  const size = tenants === undefined || tenants === finding.tenants ? '' : ` at ${thousands(tenants)}`;
  return `${kind === 'at least' ? '≥' : '≤'} ${limit}${unitOf(finding)}${size}`;
}

/** A bar for another size gives no verdict. */
function verdictText(finding: Finding): string {
  const verdict = verdictOf(finding);
  return verdict === 'pass' || verdict === 'miss' ? verdict : '';
}

function unitOf({ unit }: Finding): string {
  return unit === '' ? '' : ` ${unit}`;
}

function circumstances(where: Circumstances, isTimed: boolean): string {
  const { date, cores, platform, node, server, psql, rounds } = where;
  const limit = psql === null ? 'no psql on the PATH, so the limit is omitted' : psql;
  const medians = isTimed ? `; medians of ${rounds} ${rounds === 1 ? 'round' : 'rounds'}` : '';
  return `${date}, ${cores} cores, ${platform}, Node ${node}, PostgreSQL ${server} with fsync on, ${limit}, loopback${medians}.`;
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? '–' : `${figure(ms / 1000)} s`;
}
