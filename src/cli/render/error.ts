import type { ChalkInstance } from 'chalk';
import type { Blocker, TenantctlError } from '../../errors.ts';

const MAX_STATEMENT = 2_000;

/** An error for people: what happened, to whom, SQLSTATE, statement, hint. */
export function renderError(error: TenantctlError, paint: ChalkInstance, verbose: boolean): string {
  const lines = [`${paint.red('✖')} ${error.message}`];
  const fact = (name: string, value: string | undefined) => {
    if (value !== undefined) lines.push(`  ${paint.dim(name.padEnd(10))} ${value}`);
  };
  fact('tenant', error.tenant);
  fact('migration', error.migration);
  fact('SQLSTATE', error.sqlstate);
  fact('statement', error.statement === undefined ? undefined : indent(shorten(error.statement)));
  for (const line of error.details ?? []) lines.push(`  ${line}`);
  for (const blocker of error.blockedBy ?? []) fact('blocked by', blockerLine(blocker));
  for (const { name, table, remedy } of error.invalidIndexes ?? [])
    fact('INVALID', `index ${name} of table ${table}: ${remedy}`);
  if (error.hint !== undefined) lines.push(`${paint.cyan('→')} ${error.hint}`);
  if (verbose || error.code === 'INTERNAL') {
    const { cause } = error;
    const stack = cause instanceof Error ? cause.stack : error.stack;
    if (stack !== undefined) lines.push(paint.dim(stack));
  }
  return lines.join('\n');
}

/** An error in one line. */
export function shortError(
  error:
    | {
        readonly message: string;
        readonly migration?: string | undefined;
        readonly sqlstate?: string | undefined;
      }
    | undefined,
): string {
  if (error === undefined) return 'failed';
  const { migration, message, sqlstate } = error;
  // Not if the message names the migration itself.
  const where = migration === undefined || message.includes(migration) ? '' : `${migration}: `;
  return `${where}${message}${sqlstate === undefined ? '' : ` (SQLSTATE ${sqlstate})`}`;
}

/** "process 4711 (app, psql, idle in transaction): UPDATE …" */
export function blockerLine({ pid, user, application, state, query, waitsFor = [] }: Blocker): string {
  const waits = waitsFor.length === 0 ? null : `waits for ${waitsFor.join(', ')}`;
  const who = [user, application, state, waits].filter((part) => part !== null && part !== '').join(', ');
  return `${pid === 0 ? 'a prepared transaction' : `process ${pid}`} (${who}): ${(query ?? '').replaceAll(/\s+/g, ' ').trim()}`;
}

function shorten(text: string): string {
  return text.length > MAX_STATEMENT ? `${text.slice(0, MAX_STATEMENT)}…` : text;
}

function indent(text: string): string {
  return text
    .trim()
    .split('\n')
    .join(`\n${' '.repeat(13)}`);
}
