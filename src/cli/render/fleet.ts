import type { TenantctlError } from '../../errors.ts';
import type { MasterResult } from '../../core/commands/migrate-master.ts';
import type { FleetResult, TenantResult } from '../../core/report/results.ts';
import { counted, duration, listed, tenantOption } from '../../wording.ts';
import { withoutNames } from '../../core/report/causes.ts';
import { renderFailures } from './failures.ts';
import { renderClasses } from './classes.ts';
import { LISTED, markOf, type Look } from './look.ts';
import { renderRollout } from './rollout.ts';
import { countedSteps } from './counted-steps.ts';
import { renderTable } from './table.ts';
import { wrap, wrapHint } from './wrap.ts';

/** Lists of migrations that are shown before the rest is summed. */
const GROUPS = 8;

export function renderMaster(
  result: MasterResult,
  verb: 'Applied' | 'Undone',
  { paint, marks }: Look,
): string {
  const mark = paint.green(marks.ok);
  if (result.names.length === 0) {
    return `${mark} The master schema ${verb === 'Applied' ? 'is up to date' : 'has nothing to undo'}.`;
  }
  const about = `batch ${result.batch}, ${duration(result.durationMs)}`;
  return [
    `${mark} ${verb} ${counted(result.names.length, 'master migration')} (${about}):`,
    ...result.names.map((name) => `  ${name}`),
  ].join('\n');
}

/**
 * The outcome of a fleet run: changed tenants, failures with reasons, totals.
 * @param isRepeatable the same command does the rest of the work, and nothing else
 */
export async function renderFleet(
  result: FleetResult,
  verb: 'migrated' | 'rolled back' | 'seeded',
  verbose: boolean,
  look: Look,
  isRepeatable = true,
): Promise<string> {
  const { paint, marks } = look;
  const { totals, tenants, rollout, fleet } = result;
  if (totals.selected === 0) {
    return `${paint.green(marks.ok)} No ACTIVE tenants are selected: nothing to do.${notActive(result)}`;
  }
  const changed = tenants.filter(
    ({ outcome, reverted }) =>
      outcome === 'migrated' || outcome === 'seeded' || (outcome === 'rolled-back' && reverted === undefined),
  );
  const having = (wanted: TenantResult['outcome']) => tenants.filter(({ outcome }) => outcome === wanted);
  const lines = [
    ...(await renderChanged(changed, verb, verbose, look)),
    ...renderFailures(having('failed'), verbose, look),
    ...renderLeftOut(having('skipped'), look),
  ];
  const sums = [
    `${totals.changed} ${verb}`,
    `${totals.upToDate} ${verb === 'rolled back' ? 'with nothing to undo' : 'up to date'}`,
    `${totals.failed} failed`,
    ...(totals.undone === undefined ? [] : [`${totals.undone} migrated and rolled back again`]),
    ...(totals.skipped > 0 ? [`${totals.skipped} left out`] : []),
  ].join(', ');
  if (rollout !== undefined) lines.push(...renderRollout(rollout, look));
  const title = result.interrupted ? 'Interrupted. ' : '';
  const total = `${counted(totals.selected, 'tenant')}: ${sums} (${duration(result.durationMs)})`;
  lines.push(`${resultMark(result, look)} ${title}${total}${notActive(result)}`);
  if (result.interrupted && isRepeatable)
    lines.push(`${paint.cyan(marks.arrow)} Run the command again: it continues where this run stopped.`);
  const rest = tenants.filter(({ outcome }) => outcome === 'failed' || outcome === 'skipped');
  if (!isRepeatable && totals.changed > 0 && rest.length > 0)
    lines.push(`${paint.cyan(marks.arrow)} ${onlyTheRest(rest.map(({ clerkOrgId }) => clerkOrgId))}`);
  if (result.shared && fleet !== undefined) {
    const now = `All ${counted(fleet.total, 'tenant')} now: ${renderClasses(fleet, look)}`;
    lines.push(`  Another run was at work on the same tenants. ${now}`);
  }
  return lines.join('\n');
}

/** With `--all`: the tenants for which there was nothing to do. */
export function renderUpToDate({ tenants }: Pick<FleetResult, 'tenants'>, { paint, marks }: Look): string {
  const names = tenants.flatMap(({ outcome, clerkOrgId }) => (outcome === 'up-to-date' ? clerkOrgId : []));
  if (names.length === 0) return '';
  const title = `${paint.green(marks.ok)} ${counted(names.length, 'tenant')} up to date:`;
  return `${title}\n${paint.dim(
    names
      .toSorted()
      .map((name) => `    ${name}`)
      .join('\n'),
  )}\n`;
}

/** A hint names at most this many tenants. */
const NAMED = 10;

function onlyTheRest(organizations: readonly string[]): string {
  const named = organizations.length > NAMED ? '--tenant <org>' : tenantOption(organizations);
  return `The same command would undo one more batch of those that were rolled back. For the others alone: tenantctl rollback tenants ${named}`;
}

/** Green only if everything that was asked for is done. */
export function resultMark({ tenants, interrupted, rollout, totals }: FleetResult, look: Look): string {
  const failed = rollout?.stopped !== undefined || tenants.some(({ error }) => error !== undefined);
  return markOf(look, { failed, unfinished: interrupted || totals.skipped > 0 });
}

interface LeftOut {
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly reason?: string | undefined;
  readonly error?: Pick<TenantctlError, 'hint'> | undefined;
}

/** Tenants for which nothing was done, by reason. */
export function renderLeftOut(tenants: readonly LeftOut[], look: Look): string[] {
  const { paint, marks } = look;
  const lines: string[] = [];
  for (const [reason, members] of Map.groupBy(tenants, (tenant) => tenant.reason ?? '')) {
    const names = listed(members.map((tenant) => tenant.clerkOrgId).toSorted());
    const [first] = members;
    const error = first?.error;
    const mark = markOf(look, { failed: error !== undefined, unfinished: true });
    lines.push(`${mark} ${counted(members.length, 'tenant')} left out (${reason}): ${names}`);
    if (first === undefined || error?.hint === undefined) continue;
    const hint = members.length === 1 ? error.hint : withoutNames(error.hint, first);
    lines.push(`  ${paint.cyan(marks.arrow)} ${wrapHint(hint, 3 + marks.arrow.length, look)}`);
  }
  return lines;
}

async function renderChanged(
  changed: readonly TenantResult[],
  verb: string,
  verbose: boolean,
  look: Look,
): Promise<string[]> {
  const { paint, marks } = look;
  const lines: string[] = [];
  // By name, and not in the order in which they ended.
  const sorted = changed.toSorted((one, other) => (one.clerkOrgId < other.clerkOrgId ? -1 : 1));
  const groups = [...Map.groupBy(sorted, ({ names }) => names.join('\n')).values()].toSorted(
    (one, other) => other.length - one.length,
  );
  const shown = verbose ? groups : groups.slice(0, GROUPS);
  for (const tenants of shown) {
    const names = tenants[0]?.names ?? [];
    lines.push(
      `${paint.green(marks.ok)} ${counted(tenants.length, 'tenant')} ${verb}:`,
      ...(verbose || names.length <= LISTED
        ? names.map((name) => `  ${name}`)
        : [
            `  ${verb === 'seeded' ? counted(names.length, 'seed') : countedSteps(names)}: ${names[0]} to ${names.at(-1)}`,
          ]),
    );
    const rows = tenants.map(({ clerkOrgId, schema, batch, durationMs }) => [
      `    ${clerkOrgId}`,
      schema,
      // Scripts alone are no batch.
      ...(verb === 'seeded' ? [] : [batch === 0 ? '' : `batch ${batch}`]),
      duration(durationMs),
    ]);
    const isListed = verbose || changed.length <= LISTED;
    const organizations = listed(tenants.map(({ clerkOrgId }) => clerkOrgId));
    lines.push(
      paint.dim(isListed ? await renderTable([], rows, look) : `    ${wrap(organizations, 4, look)}`),
    );
  }
  const rest = groups.slice(shown.length);
  if (rest.length > 0) {
    const others = counted(rest.flat().length, 'tenant');
    lines.push(`${paint.green(marks.ok)} ${others} ${verb} from other versions; --verbose shows all`);
  }
  return lines;
}

/** A line with the registered tenants that a run leaves alone. */
export function notActive(result: Pick<FleetResult, 'notActive'>): string {
  const entries = Object.entries(result.notActive);
  if (entries.length === 0) return '';
  const sum = entries.reduce((total, [, number]) => total + number, 0);
  const parts = entries.map(([status, number]) => `${number} ${status}`).join(', ');
  return `\n  Not ACTIVE, so left alone: ${sum} (${parts})`;
}
