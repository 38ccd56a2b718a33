import type { Run, RunOutcome, RunTenant } from '../../core/ledger/read-runs.ts';
import { shortError } from './error.ts';
import type { Look } from './look.ts';
import { renderTable } from './table.ts';
import { counted, duration, secondOf } from '../../wording.ts';

/** The ledger's runs, one per line. */
export async function renderRuns(runs: readonly Run[], look: Look): Promise<string> {
  if (runs.length === 0)
    return 'There are no runs yet: the next command that changes something is the first.';
  return renderTable(
    ['RUN', 'COMMAND', 'WHO', 'STARTED (UTC)', 'TOOK', 'OUTCOME', 'TENANTS'],
    runs.map((run) => [
      String(run.id),
      run.command,
      `${run.startedBy}@${run.host}`,
      secondOf(run.startedAt),
      run.durationMs === null ? '' : duration(run.durationMs),
      painted(run.outcome, look.paint),
      totalsOf(run),
    ]),
    look,
  );
}

export async function renderRun(run: Run, tenants: readonly RunTenant[], look: Look): Promise<string> {
  const { paint, marks } = look;
  const options = Object.entries(run.options).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  const facts = [
    ['command', run.command],
    ['outcome', painted(run.outcome, paint)],
    ['who', `${run.startedBy} from ${run.host}, process ${run.pid}, tenantctl ${run.version}`],
    ['started', `${secondOf(run.startedAt)} UTC`],
    ['ended', run.endedAt ? `${secondOf(run.endedAt)} UTC (${duration(run.durationMs ?? 0)})` : ''],
    ['options', options.join(', ')],
    ['migrations', run.planned.join(', ')],
    ['tenants', totalsOf(run)],
  ] as const;
  const known = facts.filter(([, value]) => value !== '');
  const lines = [
    `Run ${run.id}`,
    ...known.map(([name, value]) => `  ${paint.dim(name.padEnd(10))}  ${value}`),
  ];
  if (run.error !== null) lines.push(`${paint.red(marks.failed)} ${shortError(run.error)}`);
  if (tenants.length > 0) {
    const rows = tenants.map((tenant) => [
      `  ${tenant.clerkOrgId ?? 'master'}`,
      paint.dim(tenant.schema),
      tenant.outcome === 'failed' ? paint.red(tenant.outcome) : tenant.outcome,
      tenant.batch === 0 ? '' : `batch ${tenant.batch}`,
      duration(tenant.durationMs),
      tenant.error === null ? tenant.names.join(', ') : shortError(tenant.error),
    ]);
    lines.push(await renderTable([], rows, look));
  }
  return [...lines, ...nextSteps(run).map((step) => paint.dim(step))].join('\n');
}

/** Suggested next commands for a run. */
function nextSteps({ id, command, outcome, totals: { failed = 0, changed = 0 } }: Run): string[] {
  if (command !== 'migrate tenants' || outcome === 'at-work') return [];
  return [
    failed > 0 ? `tenantctl migrate tenants --retry-failed ${id} tries the failed ones again.` : '',
    changed > 0 ? `tenantctl rollback tenants --run ${id} undoes exactly this run.` : '',
  ].filter((step) => step !== '');
}

function totalsOf({ totals, command }: Run): string {
  const of = (key: string) => totals[key] ?? 0;
  if (totals['migrations'] !== undefined) return counted(totals['migrations'], 'master migration');
  const verb =
    { 'rollback tenants': 'rolled back', 'tenant provision': 'provisioned' }[command] ?? 'migrated';
  const sums = [
    [of('changed'), verb],
    [of('upToDate'), command === 'rollback tenants' ? 'with nothing to undo' : 'up to date'],
    [of('failed'), 'failed'],
    [of('skipped'), 'left out'],
  ] as const;
  const parts = sums.filter(([number]) => number > 0).map(([number, words]) => `${number} ${words}`);
  return parts.length === 0 ? 'none' : parts.join(', ');
}

function painted(outcome: RunOutcome, paint: Look['paint']): string {
  if (outcome === 'done') return paint.green(outcome);
  return ['failed', 'died'].includes(outcome) ? paint.red(outcome) : paint.yellow(outcome);
}
