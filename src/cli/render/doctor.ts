import type { CheckStatus } from '../../core/doctor/check.ts';
import type { Diagnosis } from '../../core/doctor/diagnose.ts';
import { counted } from '../../wording.ts';
import { indent } from './error.ts';
import type { Look } from './look.ts';

/** One line per check with its remedy, and the totals. */
export function renderDiagnosis({ checks, totals }: Diagnosis, { paint, marks }: Look): string {
  const colors = { ok: paint.green, warning: paint.yellow, failed: paint.red, skipped: paint.dim };
  const mark = (status: CheckStatus) => colors[status](marks[status]);
  const width = Math.max(...checks.map(({ title }) => title.length));
  const lines = checks.flatMap(({ status, title, detail, remedy }) => {
    const text = indent(detail, width + 4);
    const line = `${mark(status)} ${title.padEnd(width)}  ${status === 'skipped' ? paint.dim(text) : text}`;
    return remedy === undefined ? [line] : [line, `  ${paint.cyan(marks.arrow)} ${indent(remedy, 4)}`];
  });
  const worst = totals.failed > 0 ? 'failed' : totals.warnings > 0 ? 'warning' : 'ok';
  const { ok, warnings, failed, skipped } = totals;
  const sum = `${ok} ok, ${counted(warnings, 'warning')}, ${failed} failed, ${skipped} skipped`;
  return [...lines, '', `${mark(worst)} ${counted(checks.length, 'check')}: ${sum}`].join('\n');
}
