import { counted } from '../../src/wording.ts';
import { figure, thousands } from '../report/figure.ts';
import { median } from '../report/median.ts';
import { toTable } from '../report/table.ts';
import type { FolderCost, FolderProgram, FolderResult, FolderWork } from './folder-cost.ts';
import type { FolderProject } from './folder-project.ts';

/** A time in relation to the same work by Knex and by psql. Where both are given, the larger limit holds. */
interface FolderBar {
  readonly work: FolderWork;
  readonly program: FolderProgram;
  readonly knex: number;
  readonly psql?: number;
}

const BARS: readonly FolderBar[] = [
  { work: 'whole folder', program: 'tenantctl --no-compile', knex: 1 },
  { work: 'whole folder', program: 'tenantctl', knex: 0.5, psql: 1.6 },
  { work: 'last migration', program: 'tenantctl', knex: 0.3 },
  { work: 'new tenant', program: 'tenantctl', knex: 0.5, psql: 1.5 },
  { work: 'next tenant', program: 'tenantctl', knex: 0.5, psql: 1.5 },
];

const HEADER = [
  'work',
  'tenants',
  'at once',
  'program',
  'whole run',
  'a tenant',
  'client CPU',
  'server CPU',
  '× Knex',
  '× psql',
  'bar',
  '',
];

/** The result as Markdown. */
export function folderMarkdown(
  { folder, files, knex }: FolderProject,
  { costs }: FolderResult,
  title = `${counted(files.length, 'migration')} of ${folder}`,
): string {
  const startUp = startUpOf(costs);
  return [
    toTable([HEADER, ...summaries(costs, startUp)]).join('\n'),
    `${title}; Knex ${knex.version}${knex.isOwn ? " (the project's own)" : ''}. ` +
      'The time for a tenant, and the ratios, are without the start-up: the median of a run without tenants, ' +
      `${(['tenantctl', 'Knex', 'psql'] as const).map((name) => `${name} ${figure(startUp(name))} ms`).join(', ')}. ` +
      '“next tenant” is a call in a running process, from the second on; psql has a connection as well.',
  ].join('\n\n');
}

const ROW_HEADER = [
  'files',
  'tenants',
  'Knex',
  '--no-compile',
  'as it comes, 1 at once',
  'as it comes, 4 at once',
  'last migration',
  'new tenant',
  'next tenant',
  'bars missed',
];

/** Many folders in one table, each with a row of `folderRow`. */
export function foldersTable(rows: Readonly<Record<string, readonly string[]>>): string {
  return toTable([
    ['folder', ...ROW_HEADER],
    ...Object.entries(rows).map(([title, cells]) => [title, ...cells]),
  ]).join('\n');
}

/** One folder in one line: Knex's time for a tenant, and tenantctl's as a multiple of Knex's and of psql's. */
export function folderRow({ files }: FolderProject, { costs }: FolderResult): string[] {
  const rows = summaries(costs, startUpOf(costs));
  const cell = (work: FolderWork, program: FolderProgram, concurrency: number, at: number) =>
    rows.find((row) => row[0] === work && row[3] === program && row[2] === String(concurrency))?.[at] ?? '';
  const ratios = (work: FolderWork, program: FolderProgram, concurrency: number) => {
    const [knex, psql] = [8, 9].map((at) => cell(work, program, concurrency, at));
    return [knex === '' ? '' : `${knex} × Knex`, psql === '' ? '' : `${psql} × psql`]
      .filter((each) => each !== '')
      .join(', ');
  };
  return [
    thousands(files.length),
    cell('whole folder', 'Knex', 1, 1),
    cell('whole folder', 'Knex', 1, 5),
    ratios('whole folder', 'tenantctl --no-compile', 1),
    ratios('whole folder', 'tenantctl', 1),
    ratios('whole folder', 'tenantctl', 4),
    ratios('last migration', 'tenantctl', 4),
    ratios('new tenant', 'tenantctl', 1),
    ratios('next tenant', 'tenantctl', 1),
    String(rows.filter((row) => row.at(-1) === 'miss').length),
  ];
}

function startUpOf(costs: readonly FolderCost[]): (program: FolderProgram) => number {
  return (program) =>
    medianOf(costs.filter((each) => each.work === 'start-up' && each.program === nameOf(program))) ?? 0;
}

const nameOf = (program: FolderProgram) => (program === 'tenantctl --no-compile' ? 'tenantctl' : program);

/** Rows of the table, one for each work, program and concurrency, in the order of the measurements. */
function summaries(costs: readonly FolderCost[], startUp: (program: FolderProgram) => number): string[][] {
  const groups = Map.groupBy(costs, ({ work, program, concurrency }) => `${work} ${concurrency} ${program}`);
  const netOf = (work: FolderWork, concurrency: number, program: FolderProgram) => {
    const ms = medianOf(groups.get(`${work} ${concurrency} ${program}`) ?? []);
    return ms === undefined || work === 'next tenant' ? ms : Math.max(0, ms - startUp(program));
  };
  const rows: string[][] = [];
  for (const group of groups.values()) {
    const [first] = group;
    if (first === undefined || first.work === 'start-up') continue;
    const { work, program, tenants, concurrency } = first;
    const own = netOf(work, concurrency, program) ?? Number.NaN;
    const knex = netOf(work, concurrency, 'Knex');
    const psql = netOf(work === 'new tenant' ? 'next tenant' : work, concurrency, 'psql');
    const bar = BARS.find((each) => each.work === work && each.program === program);
    rows.push([
      work,
      thousands(tenants),
      String(concurrency),
      program,
      `${figure(medianOf(group) ?? Number.NaN)} ms`,
      `${figure(own / tenants)} ms`,
      cpuOf(group.map(({ cpuMs }) => cpuMs)),
      cpuOf(group.map(({ serverCpuMs }) => serverCpuMs)),
      ratioOf(program, own, 'Knex', knex),
      ratioOf(program, own, 'psql', psql),
      bar === undefined
        ? ''
        : `≤ ${bar.knex} × Knex${bar.psql === undefined ? '' : ` or ${bar.psql} × psql`}`,
      bar === undefined ? '' : verdict(bar, own, knex, psql),
    ]);
  }
  return rows;
}

function medianOf(costs: readonly FolderCost[]): number | undefined {
  return costs.length === 0 ? undefined : median(costs.map(({ ms }) => ms));
}

function cpuOf(times: readonly (number | undefined)[]): string {
  const known = times.filter((ms) => ms !== undefined);
  return known.length === 0 ? '' : `${figure(median(known))} ms`;
}

function ratioOf(
  program: FolderProgram,
  own: number,
  other: FolderProgram,
  than: number | undefined,
): string {
  return than === undefined || than === 0 || program === other ? '' : (own / than).toFixed(2);
}

function verdict(bar: FolderBar, own: number, knex: number | undefined, psql: number | undefined): string {
  const limits = [(knex ?? Number.NaN) * bar.knex, (psql ?? Number.NaN) * (bar.psql ?? Number.NaN)];
  return limits.some((limit) => own <= limit) ? 'pass' : 'miss';
}
