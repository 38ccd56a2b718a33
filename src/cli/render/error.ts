import type { Blocker, TenantctlError } from '../../errors.ts';
import type { Look } from './look.ts';
import { wrap, wrapHint } from './wrap.ts';

/** An error for people: message, location, SQLSTATE, statement, hint. */
export function renderError(error: TenantctlError, look: Look, verbose: boolean): string {
  const { paint, marks } = look;
  const { tenant, migration, at, sqlstate, statement, details = [], hint } = error;
  const fact = (name: string, value: string) => `  ${paint.dim(name.padEnd(10))} ${indent(value, 13)}`;
  const lines = [`${paint.red(marks.failed)} ${wrap(error.message, 2, look)}`];
  if (tenant !== undefined) lines.push(fact('tenant', tenant === '' ? '""' : tenant));
  if (migration !== undefined) lines.push(fact('migration', migration));
  if (at !== undefined) lines.push(fact('at', at));
  if (sqlstate !== undefined) lines.push(fact('SQLSTATE', sqlstate));
  if (statement !== undefined) lines.push(fact('statement', statement));
  lines.push(...details.map((line) => `  ${line.replaceAll('\n', '\n  ')}`));
  for (const blocker of error.blockedBy ?? []) lines.push(fact('blocked by', blockerLine(blocker)));
  for (const { name, table, remedy } of error.invalidIndexes ?? [])
    lines.push(fact('INVALID', `index ${name} of table ${table}: ${remedy}`));
  if (hint !== undefined)
    lines.push(`${paint.cyan(marks.arrow)} ${wrapHint(hint, marks.arrow.length + 1, look)}`);
  if (verbose || error.code === 'INTERNAL') {
    const { stack } = error.cause instanceof Error ? error.cause : error;
    if (stack !== undefined) lines.push(paint.dim(stack));
  }
  return lines.join('\n');
}

type ShownError = Pick<TenantctlError, 'message'> &
  Partial<Pick<TenantctlError, 'migration' | 'at' | 'sqlstate' | 'statement' | 'details' | 'hint'>>;

export function shortError(error: ShownError | undefined): string {
  if (error === undefined) return 'failed';
  const { migration, message, sqlstate } = error;
  // Omitted if the message names the migration itself.
  const where = migration === undefined || message.includes(migration) ? '' : `${migration}: `;
  return `${where}${message}${sqlstate === undefined ? '' : ` (SQLSTATE ${sqlstate})`}`;
}

/** The lines after shortError: place, statement, details, hint. */
export function errorDetails({ at, statement, details = [], hint }: ShownError, look: Look): string[] {
  const { paint, marks } = look;
  return [
    ...(at === undefined ? [] : [`    ${paint.dim('at')}        ${at}`]),
    ...(statement === undefined ? [] : [`    ${paint.dim('statement')} ${indent(statement, 14)}`]),
    ...details.map((detail) => `    ${detail}`),
    ...(hint === undefined
      ? []
      : [`    ${paint.cyan(marks.arrow)} ${wrapHint(hint, 5 + marks.arrow.length, look)}`]),
  ];
}

/** "process 4711 (app, psql, idle in transaction): UPDATE ..." */
export function blockerLine({ pid, user, application, state, query, waitsFor = [] }: Blocker): string {
  const waits = waitsFor.length === 0 ? null : `waits for ${waitsFor.join(', ')}`;
  const who = [user, application, state, waits].filter((part) => part !== null && part !== '').join(', ');
  const text = (query ?? '').replaceAll(/\s+/g, ' ').trim();
  return `${pid === 0 ? 'a prepared transaction' : `process ${pid}`} (${who}): ${text}`;
}

/** Indents all lines but the first. */
export function indent(text: string, columns: number): string {
  return text.trim().replaceAll('\n', `\n${' '.repeat(columns)}`);
}
