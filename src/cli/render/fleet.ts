import type { ChalkInstance } from 'chalk';
import type { MasterResult } from '../../core/commands/migrate-master.ts';
import type { ProvisionResult } from '../../core/tenant/provision.ts';
import type { FleetResult, TenantResult } from '../../core/report/results.ts';
import { blockerLine, shortError } from './error.ts';
import { renderRollout } from './rollout.ts';
import { renderClasses } from './classes.ts';
import { renderTable } from './table.ts';
import { duration } from './words.ts';
import { counted, listed } from '../../wording.ts';

/** Up to so many tenants are listed one by one. */
const LISTED = 25;

/** What a run did to the master schema. */
export function renderMaster(result: MasterResult, verb: 'Applied' | 'Undone', paint: ChalkInstance): string {
  if (result.names.length === 0) {
    return `${paint.green('✔')} The master schema ${verb === 'Applied' ? 'is up to date' : 'has nothing to undo'}.`;
  }
  return [
    `${paint.green('✔')} ${verb} ${counted(result.names.length, 'master migration')} (batch ${result.batch}, ${duration(result.durationMs)}):`,
    ...result.names.map((name) => `  ${name}`),
  ].join('\n');
}

/** What a run did to the fleet: changed tenants, failed ones with their reasons, totals. */
export async function renderFleet(
  result: FleetResult,
  verb: 'migrated' | 'rolled back',
  verbose: boolean,
  paint: ChalkInstance,
): Promise<string> {
  const { totals } = result;
  if (totals.selected === 0) {
    return `${paint.green('✔')} There are no ACTIVE tenants: nothing to do.${leftAlone(result)}`;
  }
  const lines: string[] = [];
  const isUndone = ({ outcome, reverted }: TenantResult) =>
    outcome === 'rolled-back' && reverted !== undefined;
  const changed = result.tenants.filter(
    (tenant) => ['migrated', 'rolled-back'].includes(tenant.outcome) && !isUndone(tenant),
  );
  lines.push(...(await renderChanged(changed, verb, verbose, paint)));
  const failed = result.tenants.filter((tenant) => tenant.outcome === 'failed');
  if (failed.length > 0) lines.push(...renderFailed(failed, paint));
  const skipped = result.tenants.filter((tenant) => tenant.outcome === 'skipped');
  for (const [reason, tenants] of Map.groupBy(skipped, (tenant) => tenant.reason ?? '')) {
    const names = listed(tenants.map((tenant) => tenant.clerkOrgId));
    lines.push(`${paint.yellow('!')} ${counted(tenants.length, 'tenant')} left out (${reason}): ${names}`);
  }
  const sums = [
    `${totals.changed} ${verb}`,
    `${totals.upToDate} ${verb === 'migrated' ? 'up to date' : 'with nothing to undo'}`,
    `${totals.failed} failed`,
    ...(totals.undone === undefined ? [] : [`${totals.undone} migrated and rolled back again`]),
    ...(totals.skipped > 0 ? [`${totals.skipped} left out`] : []),
  ];
  if (result.rollout !== undefined) lines.push(...renderRollout(result.rollout, paint));
  const mark = totals.failed > 0 ? paint.red('✖') : paint.green('✔');
  lines.push(
    `${mark} ${counted(totals.selected, 'tenant')}: ${sums.join(', ')} (${duration(result.durationMs)})${leftAlone(result)}`,
  );
  if (result.shared && result.fleet !== undefined) {
    lines.push(
      `  Another run was at work on the same tenants. All ${counted(result.fleet.total, 'tenant')} now: ${renderClasses(result.fleet, paint)}`,
    );
  }
  return lines.join('\n');
}

async function renderChanged(
  changed: readonly TenantResult[],
  verb: string,
  verbose: boolean,
  paint: ChalkInstance,
): Promise<string[]> {
  if (changed.length === 0) return [];
  const groups = Map.groupBy(changed, (tenant) => tenant.names.join('\n'));
  const lines: string[] = [];
  for (const tenants of groups.values()) {
    const names = tenants[0]?.names ?? [];
    lines.push(
      `${paint.green('✔')} ${counted(tenants.length, 'tenant')} ${verb}:`,
      ...names.map((name) => `  ${name}`),
    );
    if (verbose || changed.length <= LISTED) {
      const rows = tenants.map((tenant) => [
        tenant.clerkOrgId,
        tenant.schema,
        `batch ${tenant.batch}`,
        duration(tenant.durationMs),
      ]);
      lines.push(indent(paint.dim(await renderTable([], rows))));
    }
  }
  return lines;
}

function renderFailed(failed: readonly TenantResult[], paint: ChalkInstance): string[] {
  const lines = [`${paint.red('✖')} ${counted(failed.length, 'tenant')} failed:`];
  const groups = Map.groupBy(
    failed,
    ({ error }) => `${error?.code}\n${error?.migration}\n${error?.sqlstate}\n${error?.hint}`,
  );
  for (const tenants of groups.values()) {
    const [first] = tenants;
    const shown = tenants.slice(0, LISTED);
    for (const { clerkOrgId, schema, error } of shown) {
      lines.push(
        `  ${clerkOrgId} ${paint.dim(schema)}: ${shortError(error)}`,
        ...(error?.blockedBy ?? []).map((blocker) => `    blocked by ${blockerLine(blocker)}`),
      );
    }
    if (tenants.length > shown.length)
      lines.push(`  … and ${tenants.length - shown.length} more with the same error`);
    if (first?.error?.statement !== undefined)
      lines.push(
        `    ${paint.dim('statement')} ${first.error.statement
          .trim()
          .split('\n')
          .join(`\n${' '.repeat(14)}`)}`,
      );
    for (const detail of first?.error?.details ?? []) lines.push(`    ${detail}`);
    if (first?.error?.hint !== undefined) lines.push(`    ${paint.cyan('→')} ${first.error.hint}`);
  }
  return lines;
}

function leftAlone(result: FleetResult): string {
  const entries = Object.entries(result.notActive);
  if (entries.length === 0) return '';
  const sum = entries.reduce((total, [, number]) => total + number, 0);
  return `\n  Not ACTIVE, so left alone: ${sum} (${entries.map(([status, number]) => `${number} ${status}`).join(', ')})`;
}

/** The outcome of each organization to provision. */
export function renderProvision(results: readonly ProvisionResult[], paint: ChalkInstance): string {
  return results
    .filter((result) => result.outcome !== 'failed')
    .map((result) =>
      result.outcome === 'provisioned'
        ? `${paint.green('✔')} ${result.clerkOrgId} is ACTIVE in ${paint.bold(result.schema)} (${counted(result.applied.length, 'migration')}, ${duration(result.durationMs)})`
        : `${paint.green('✔')} ${result.clerkOrgId} is ACTIVE already in ${paint.bold(result.schema)}; nothing was changed`,
    )
    .join('\n');
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}
