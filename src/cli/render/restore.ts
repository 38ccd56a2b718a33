import type { RestorePlan } from '../../core/tenant/restore.ts';
import type { RestoreResult } from '../../core/tenant/restore/restore-result.ts';
import { counted, duration, listed, sumOf } from '../../wording.ts';
import { countedSteps } from './counted-steps.ts';
import { markOf, type Look } from './look.ts';

/** The tenants that were restored, one line each, and the totals. */
export function renderRestores(results: readonly RestoreResult[], look: Look): string {
  const lines = results.flatMap((result) => {
    const {
      clerkOrgId,
      schema,
      outcome,
      tables,
      rows,
      madeAt,
      applied,
      status = 'ACTIVE',
      durationMs,
    } = result;
    if (outcome === 'failed' || outcome === 'skipped') return [];
    if (outcome === 'already-active')
      return [`${look.paint.green(look.marks.ok)} ${clerkOrgId} is already ACTIVE; nothing was changed`];
    const mark = markOf(look, { failed: false, unfinished: result.left !== undefined });
    const migrated = applied.length === 0 ? '' : `, then ${countedSteps(applied)}`;
    const done = `${counted(tables, 'table')}, ${counted(rows, 'row')}${migrated}, ${duration(durationMs)}`;
    return [
      `${mark} ${clerkOrgId} is ${status} in ${look.paint.bold(schema)}, as of ${madeAt} (${done})`,
      ...driftOf(result),
    ];
  });
  const count = (outcome: RestoreResult['outcome']) =>
    results.filter((result) => result.outcome === outcome).length;
  const [failed, skipped] = [count('failed'), count('skipped')];
  if (results.length > 1 || skipped > 0) {
    const sums = sumOf([
      [count('restored'), 'restored'],
      [count('unarchived'), 'unarchived'],
      [count('already-active'), 'already ACTIVE'],
      [failed, 'failed'],
      [skipped, 'not started'],
    ]);
    const mark = markOf(look, { failed: failed > 0, unfinished: skipped > 0 });
    lines.push(`${mark} ${skipped > 0 ? 'Interrupted. ' : ''}${counted(results.length, 'tenant')}: ${sums}`);
  }
  return lines.join('\n');
}

function driftOf({ differences = [], left = [] }: RestoreResult): string[] {
  const names = differences.map(({ kind, name }) => `${kind} ${name}`);
  return [
    ...(names.length === 0 ? [] : [`  differs from the backup in: ${listed(names)}`]),
    ...(left.length === 0 ? [] : [`  has no place for, and was restored without: ${listed(left)}`]),
  ];
}

/** What a dry run found. */
export function renderRestorePlan(plan: RestorePlan, { paint, marks }: Look): string {
  const { clerkOrgId, schema, manifest, pending, isReplaced } = plan;
  const rows = manifest.measures.reduce((sum, measure) => sum + measure.rows, 0);
  const { tables } = manifest.content;
  return [
    `${paint.green(marks.ok)} The backup of ${manifest.clerkOrgId} at ${manifest.madeAt} is undamaged: ${counted(tables.length, 'table')}, ${counted(rows, 'row')}.`,
    `${paint.cyan(marks.arrow)} It would ${isReplaced ? 'replace' : 'be restored as'} ${clerkOrgId} in ${paint.bold(schema)}, by ${counted(manifest.migrations.length, 'migration')}.`,
    ...(pending.length === 0
      ? []
      : [`${paint.cyan(marks.arrow)} Then ${countedSteps(pending)} would be applied: ${listed(pending)}`]),
  ].join('\n');
}
