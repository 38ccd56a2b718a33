import type { ErrorCode } from '../../error-code.ts';
import type { TenantctlError } from '../../errors.ts';
import type { Attempt } from './attempt.ts';

export type CheckStatus = 'ok' | 'warning' | 'failed' | 'skipped';

export interface Verdict {
  readonly status: CheckStatus;
  /** The finding, or why the check was skipped. Never a secret. */
  readonly detail: string;
  /** Required for failures and warnings. SQL and commands in it can be pasted as they are. */
  readonly remedy?: string;
  readonly code?: ErrorCode;
}

/** One line of the doctor's output. */
export interface Check extends Verdict {
  /** Stable, in kebab-case: programs may rely on it. */
  readonly id: string;
  readonly title: string;
}

/** Checks by id, in output order: the title, and a pure function that judges the facts. */
export type CheckTable<Facts> = Readonly<
  Record<string, readonly [title: string, verdictOn: (facts: Facts) => Verdict]>
>;

export function ok(detail: string): Verdict {
  return { status: 'ok', detail };
}

export function warning(detail: string, remedy: string): Verdict {
  return { status: 'warning', detail, remedy };
}

export function failed(detail: string, remedy: string, code?: ErrorCode): Verdict {
  return { status: 'failed', detail, remedy, ...(code !== undefined && { code }) };
}

export function skipped(reason: string): Verdict {
  return { status: 'skipped', detail: reason };
}

export function refused(error: TenantctlError): Verdict {
  return failed(error.message, error.hint ?? 'Correct what the message says.', error.code);
}

export function judge<Facts>(table: CheckTable<Facts>, facts: Facts): Check[] {
  return Object.entries(table).map(([id, [title, verdictOn]]) => ({ id, title, ...verdictOn(facts) }));
}

/** Skips all checks of a table. `first` replaces the first check's verdict. */
export function skipAll(table: CheckTable<never>, reason: string, first = skipped(reason)): Check[] {
  return Object.entries(table).map(([id, [title]], index) => ({
    id,
    title,
    ...(index === 0 ? first : skipped(reason)),
  }));
}

/** If the facts could not be read, the first check reports the error and the others are skipped. */
export function judgeAttempt<Read, More>(
  table: CheckTable<Read & More>,
  { facts, error }: Attempt<Read>,
  more: More,
): Check[] {
  return error === undefined
    ? judge(table, { ...facts, ...more })
    : skipAll(table, 'could not be read: see above', refused(error));
}

/** "DB_SSL_CERT_PATH" or "0001_notes.ts" as part of an id. */
export function kebab(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
}
