import type { ChalkInstance } from 'chalk';
import type { Check, CheckStatus } from '../../core/doctor/check.ts';
import type { Diagnosis } from '../../core/doctor/diagnosis.ts';
import { counted } from '../../wording.ts';
import { indent } from './error.ts';

const MARKS: Readonly<Record<CheckStatus, string>> = { ok: '✔', warning: '!', failed: '✖', skipped: '·' };

/** A line for each check, with its remedy below, and the totals. */
export function renderDiagnosis({ checks, totals }: Diagnosis, paint: ChalkInstance): string {
  const colors = { ok: paint.green, warning: paint.yellow, failed: paint.red, skipped: paint.dim };
  const width = Math.max(...checks.map(({ title }) => title.length));
  const lines = checks.flatMap((check) => renderCheck(check, width, colors[check.status], paint));
  const worst = totals.failed > 0 ? 'failed' : totals.warnings > 0 ? 'warning' : 'ok';
  const sum = [
    `${totals.ok} ok`,
    counted(totals.warnings, 'warning'),
    `${totals.failed} failed`,
    `${totals.skipped} skipped`,
  ].join(', ');
  return [...lines, '', `${colors[worst](MARKS[worst])} ${counted(checks.length, 'check')}: ${sum}`].join(
    '\n',
  );
}

function renderCheck(check: Check, width: number, color: ChalkInstance, paint: ChalkInstance): string[] {
  const title = check.title.padEnd(width);
  const detail = indent(check.detail, width + 4);
  const line = `${color(MARKS[check.status])} ${title}  ${check.status === 'skipped' ? paint.dim(detail) : detail}`;
  return check.remedy === undefined ? [line] : [line, `  ${paint.cyan('→')} ${indent(check.remedy, 4)}`];
}
