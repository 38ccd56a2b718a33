import type { Check, CheckStatus } from '../../core/doctor/check.ts';
import type { Diagnosis } from '../../core/doctor/diagnose.ts';
import { counted } from '../../wording.ts';
import type { Look } from './look.ts';
import { renderTable } from './table.ts';
import { wrap, wrapHint } from './wrap.ts';

/**
 * The findings with their remedies, failures first; then what is in order, a line for each check; then the
 * totals. With `verbose` nothing is cut, and skipped checks are listed.
 */
export async function renderDiagnosis(
  { checks, totals: { ok, warnings, failed, skipped } }: Diagnosis,
  verbose: boolean,
  look: Look,
): Promise<string> {
  const { paint, marks } = look;
  const colors = { ok: paint.green, warning: paint.yellow, failed: paint.red, skipped: paint.dim };
  const mark = (status: CheckStatus) => colors[status](marks[status]);
  const having = (...statuses: CheckStatus[]) =>
    statuses.flatMap((status) => checks.filter((check) => check.status === status));

  const findings = having('failed', 'warning').flatMap(({ status, title, detail, remedy }: Check) => [
    `${mark(status)} ${wrap(`${paint.bold(title)}: ${detail}`, 2, look)}`,
    ...(remedy === undefined
      ? []
      : [`  ${paint.cyan(marks.arrow)} ${wrapHint(remedy, 3 + marks.arrow.length, look)}`]),
  ]);
  const others = having('ok', ...(verbose ? (['skipped'] as const) : []));
  const rows = others.map(({ status, title, detail }) => [`${mark(status)} ${title}`, detail]);
  const table = await renderTable([], rows, verbose ? { ...look, width: undefined } : look);

  const worst = failed > 0 ? 'failed' : warnings > 0 ? 'warning' : 'ok';
  const folded = skipped > 0 && !verbose ? ' (--verbose lists them)' : '';
  const sum = `${ok} ok, ${counted(warnings, 'warning')}, ${failed} failed, ${skipped} skipped${folded}`;
  return [
    ...findings,
    ...(findings.length > 0 ? [''] : []),
    ...(rows.length > 0 ? [table, ''] : []),
    `${mark(worst)} ${counted(checks.length, 'check')}: ${sum}`,
  ].join('\n');
}
