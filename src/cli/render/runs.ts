import { renderNotice } from '../../core/report/notices.ts';
import { stripVTControlCharacters } from 'node:util';
import type { Run, RunOutcome, RunTenant } from '../../core/ledger/read-runs.ts';
import type { Undone } from '../../core/ledger/undone.ts';
import { errorDetails, shortError } from './error.ts';
import { isScriptName } from '../../core/files/script-name.ts';
import { renderFailures } from './failures.ts';
import type { Look } from './look.ts';
import { optionWords } from './option-words.ts';
import { nextCommands } from './run-end.ts';
import { renderTable } from './table.ts';
import { wrap } from './wrap.ts';
import { counted, duration, listed, minuteOf, secondOf, sumOf } from '../../wording.ts';

type Column = readonly [name: string, textOf: (run: Run, paint: Look['paint']) => string];

/** Always shown. */
const COLUMNS: readonly Column[] = [
  ['RUN', ({ id }) => String(id)],
  ['STARTED (UTC)', ({ startedAt }) => minuteOf(startedAt)],
  ['COMMAND', ({ command }) => command],
  ['OUTCOME', ({ outcome }, paint) => painted(outcome, paint)],
  ['TENANTS', totalsOf],
];

/** Shown if there is room, the most important one first; `runs show` has every fact. */
const MORE_COLUMNS: readonly Column[] = [
  ['LABEL', ({ label }) => label ?? ''],
  ['WHO', whoOf],
  ['TOOK', ({ durationMs }) => (durationMs === null ? '' : duration(durationMs))],
];

/** Narrower terminals get times without the year. */
const WIDE = 100;

const WITHOUT_YEAR: Column = ['STARTED', ({ startedAt }) => minuteOf(startedAt).slice(5)];

export function renderRuns(runs: readonly Run[], look: Look): string | Promise<string> {
  if (runs.length === 0)
    return 'There are no runs yet: the next command that changes something is the first.';
  const { paint, width: available = Infinity } = look;
  const cellsOf = ([name, textOf]: Column) => [name, ...runs.map((run) => textOf(run, paint))];
  const widthOf = (cells: readonly string[]) =>
    Math.max(...cells.map((cell) => stripVTControlCharacters(cell).length)) + 2;
  const shown = COLUMNS.map((column) =>
    available < WIDE && column[0].startsWith('STARTED') ? WITHOUT_YEAR : column,
  ).map(cellsOf);
  for (const cells of MORE_COLUMNS.map(cellsOf)) {
    const widths = shown.map(widthOf);
    const left = available - widths.reduce((sum, width) => sum + width, 0);
    // The table cuts the widest columns: here that must be the new one.
    if (left < Math.min(widthOf(cells), Math.max(...widths))) break;
    if (cells.slice(1).some((cell) => cell !== '')) shown.push(cells);
  }
  const rows = [...runs.keys()].map((at) => shown.map((cells) => cells[at + 1] ?? ''));
  return renderTable(
    shown.map(([name = '']) => name),
    rows,
    look,
  );
}

interface RunDetails {
  readonly tenants: readonly RunTenant[];
  readonly undone: Undone | undefined;
  /** Name every tenant that failed. */
  readonly verbose: boolean;
}

export async function renderRun(
  run: Run,
  { tenants, undone, verbose }: RunDetails,
  look: Look,
): Promise<string> {
  const { paint, marks } = look;
  const facts = [
    ['command', run.command],
    ['outcome', painted(run.outcome, paint)],
    ['undone', undone === undefined ? '' : paint.yellow(undoneBy(run, undone))],
    ['label', run.label ?? ''],
    ['who', `${whoOf(run)}, process ${run.pid}, tenantctl ${run.version}`],
    ['started', `${secondOf(run.startedAt)} UTC`],
    ['ended', run.endedAt ? `${secondOf(run.endedAt)} UTC (${duration(run.durationMs ?? 0)})` : ''],
    ['options', optionWords(run.options).join(', ')],
    [run.command === 'seed tenants' ? 'seeds' : 'migrations', listed(run.planned, verbose ? Infinity : 10)],
    ['tenants', totalsOf(run)],
  ] as const;
  const known = facts.filter(([, value]) => value !== '');
  const lines = [
    `Run ${run.id}`,
    ...known.map(([name, value]) => `  ${paint.dim(name.padEnd(10))}  ${wrap(value, 14, look)}`),
  ];
  if (run.error !== null)
    lines.push(`${paint.red(marks.failed)} ${shortError(run.error)}`, ...errorDetails(run.error, look));
  lines.push(...run.notices.map((notice) => `  ${wrap(renderNotice(notice), 2, look)}`));
  const [failed, others] = [true, false].map((isFailed) =>
    tenants.filter(({ outcome }) => (outcome === 'failed') === isFailed),
  );
  lines.push(...renderFailures(failed ?? [], verbose, look));
  if (others !== undefined && others.length > 0) lines.push(await renderChanged(others, look));
  return [...lines, ...nextSteps(run, undone, tenants).map((step) => paint.dim(step))].join('\n');
}

function renderChanged(tenants: readonly RunTenant[], look: Look): Promise<string> {
  const rows = tenants.map((tenant) => [
    `  ${tenant.clerkOrgId ?? 'master'}`,
    look.paint.dim(tenant.schema),
    tenant.outcome,
    tenant.batch === 0 ? '' : `batch ${tenant.batch}`,
    duration(tenant.durationMs),
    tenant.names.join(', '),
  ]);
  return renderTable([], rows, look);
}

/** "deploy@build-7 as app_owner" */
function whoOf({ osUser, host, startedBy }: Run): string {
  return `${osUser === null ? '' : `${osUser}@`}${host} as ${startedBy}`;
}

/** "by run 12", "in part by runs 12, 13" */
function undoneBy({ id }: Run, { by, wholly }: Undone): string {
  const runs = by.filter((run) => run !== id);
  const who = runs.length === 0 ? 'itself' : `run${runs.length === 1 ? '' : 's'} ${listed(runs.map(String))}`;
  return `${wholly ? '' : 'in part '}by ${who}`;
}

function nextSteps(run: Run, undone: Undone | undefined, tenants: readonly RunTenant[]): string[] {
  const { id, command, outcome, totals, planned } = run;
  if (outcome === 'at-work') return [];
  const { failed = 0, changed: all = 0 } = totals;
  // Scripts are not undone.
  const changed = planned.length > 0 && planned.every(isScriptName) ? 0 : all;
  const ended = { id, command, failed, changed, isUndone: undone?.wholly === true, tenants };
  return nextCommands(ended).map(([line, does]) => `${line} ${does}.`);
}

/** What a command does to a tenant; migrated if absent. */
const VERBS: Readonly<Record<string, string>> = {
  'rollback tenants': 'rolled back',
  'tenant provision': 'provisioned',
  'seed tenants': 'seeded',
  'tenant suspend': 'suspended',
  'tenant resume': 'resumed',
  'tenant rename': 'renamed',
  'tenant move': 'moved',
  'fleet balance': 'moved',
  'tenant backup': 'backed up',
  'tenant adopt': 'adopted',
  'history mark': 'marked',
  'tenant drop': 'dropped',
  'tenant archive': 'archived',
  'tenant restore': 'restored',
  'tenant unarchive': 'unarchived',
  'tenant clone': 'cloned',
  'grant application': 'changed',
  exec: 'written',
};

/** How a command finds a tenant that it leaves as it is; up to date if absent. */
const UNCHANGED: Readonly<Record<string, string>> = {
  'rollback tenants': 'with nothing to undo',
  'tenant suspend': 'suspended already',
  'tenant resume': 'ACTIVE already',
  'tenant unarchive': 'ACTIVE already',
  'tenant drop': 'dropped already',
  'tenant archive': 'ARCHIVED already',
  exec: 'written before',
};

function totalsOf({ totals, command }: Run): string {
  const of = (key: string) => totals[key] ?? 0;
  if (totals['migrations'] !== undefined) return counted(totals['migrations'], 'migration');
  const verb = VERBS[command] ?? 'migrated';
  const sums = sumOf([
    [of('changed'), verb],
    [of('upToDate'), UNCHANGED[command] ?? 'up to date'],
    [of('undone'), 'migrated and rolled back again'],
    [of('failed'), 'failed'],
    [of('skipped'), 'left out'],
    [of('rows'), 'rows'],
  ]);
  return sums === '' ? 'none' : sums;
}

function painted(outcome: RunOutcome, paint: Look['paint']): string {
  if (outcome === 'done') return paint.green(outcome);
  return ['failed', 'died'].includes(outcome) ? paint.red(outcome) : paint.yellow(outcome);
}
