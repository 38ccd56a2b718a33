import type { ChalkInstance } from 'chalk';
import type { Run, RunOutcome, RunTenant } from '../../core/ledger/read-runs.ts';
import { shortError } from './error.ts';
import { renderTable } from './table.ts';
import { duration } from './words.ts';
import { counted } from '../../wording.ts';

/** The runs of the ledger, one line for each. */
export async function renderRuns(runs: readonly Run[], paint: ChalkInstance): Promise<string> {
  if (runs.length === 0)
    return 'There are no runs yet: the next command that changes something is the first.';
  return renderTable(
    ['RUN', 'COMMAND', 'WHO', 'STARTED (UTC)', 'TOOK', 'OUTCOME', 'TENANTS'].map((head) => paint.dim(head)),
    runs.map((run) => [
      String(run.id),
      run.command,
      `${run.startedBy}@${run.host}`,
      timeOf(run.startedAt),
      run.durationMs === null ? '' : duration(run.durationMs),
      painted(run.outcome, paint),
      totalsOf(run),
    ]),
  );
}

/** All that is known of one run. */
export async function renderRun(
  run: Run,
  tenants: readonly RunTenant[],
  paint: ChalkInstance,
): Promise<string> {
  const options = Object.entries(run.options).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  const facts: (readonly [string, string])[] = [
    ['command', run.command],
    ['outcome', painted(run.outcome, paint)],
    ['who', `${run.startedBy} from ${run.host}, process ${run.pid}, tenantctl ${run.version}`],
    ['started', `${timeOf(run.startedAt)} UTC`],
    ...(run.endedAt === null
      ? []
      : [['ended', `${timeOf(run.endedAt)} UTC (${duration(run.durationMs ?? 0)})`] as const]),
    ...(options.length > 0 ? [['options', options.join(', ')] as const] : []),
    ...(run.planned.length > 0 ? [['migrations', run.planned.join(', ')] as const] : []),
    ['tenants', totalsOf(run)],
  ];
  const lines = [
    `Run ${run.id}`,
    ...facts.map(([name, value]) => `  ${paint.dim(name.padEnd(10))}  ${value}`),
  ];
  if (run.error !== null) lines.push(`${paint.red('✖')} ${shortError(run.error)}`);
  if (tenants.length > 0) {
    const rows = tenants.map((tenant) => [
      `  ${tenant.clerkOrgId ?? 'master'}`,
      paint.dim(tenant.schema),
      tenant.outcome === 'failed' ? paint.red(tenant.outcome) : tenant.outcome,
      tenant.batch === 0 ? '' : `batch ${tenant.batch}`,
      duration(tenant.durationMs),
      tenant.error === null ? tenant.names.join(', ') : shortError(tenant.error),
    ]);
    lines.push(await renderTable([], rows));
  }
  const hint = nextStep(run);
  return [...lines, ...(hint === undefined ? [] : [paint.dim(hint)])].join('\n');
}

/** The usual next commands for such a run. */
function nextStep({ id, command, outcome, totals }: Run): string | undefined {
  if (command !== 'migrate tenants' || outcome === 'at-work') return undefined;
  const steps = [
    ...((totals['failed'] ?? 0) > 0
      ? [`tenantctl migrate tenants --retry-failed ${id} tries the failed ones again.`]
      : []),
    ...((totals['changed'] ?? 0) > 0
      ? [`tenantctl rollback tenants --run ${id} undoes exactly this run.`]
      : []),
  ];
  return steps.length === 0 ? undefined : steps.join('\n');
}

function totalsOf({ totals, command }: Run): string {
  const of = (key: string) => totals[key] ?? 0;
  if (totals['migrations'] !== undefined) return counted(totals['migrations'], 'master migration');
  const verb =
    { 'rollback tenants': 'rolled back', 'tenant provision': 'provisioned' }[command] ?? 'migrated';
  const sums = [
    ...(of('changed') > 0 ? [`${of('changed')} ${verb}`] : []),
    ...(of('upToDate') > 0
      ? [`${of('upToDate')} ${command === 'rollback tenants' ? 'with nothing to undo' : 'up to date'}`]
      : []),
    ...(of('failed') > 0 ? [`${of('failed')} failed`] : []),
    ...(of('skipped') > 0 ? [`${of('skipped')} left out`] : []),
  ];
  return sums.length === 0 ? 'none' : sums.join(', ');
}

function painted(outcome: RunOutcome, paint: ChalkInstance): string {
  switch (outcome) {
    case 'done':
      return paint.green(outcome);
    case 'failed':
    case 'died':
      return paint.red(outcome);
    default:
      return paint.yellow(outcome);
  }
}

function timeOf(time: Date): string {
  return time.toISOString().slice(0, 19).replace('T', ' ');
}
