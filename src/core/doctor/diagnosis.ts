import { TenantctlError } from '../../errors.ts';
import type { Check } from './check.ts';
import { counted, listed } from '../../wording.ts';

/** The result of the doctor. */
export interface Diagnosis {
  readonly checks: readonly Check[];
  readonly totals: {
    readonly ok: number;
    readonly warnings: number;
    readonly failed: number;
    readonly skipped: number;
  };
  /**
   * If a check failed: CONFIG_INVALID for the configuration, else the code of the connection's error, else
   * DOCTOR_FAILED.
   */
  readonly error?: TenantctlError | undefined;
}

/** Sums up the checks. Pure. */
export function toDiagnosis(checks: readonly Check[]): Diagnosis {
  const count = (status: Check['status']) => checks.filter((check) => check.status === status).length;
  const totals = {
    ok: count('ok'),
    warnings: count('warning'),
    failed: count('failed'),
    skipped: count('skipped'),
  };
  return { checks, totals, error: errorOf(checks) };
}

function errorOf(checks: readonly Check[]): TenantctlError | undefined {
  const failures = checks.filter(({ status }) => status === 'failed');
  if (failures.length === 0) return undefined;
  const isConfiguration = failures.some(({ code }) => code === 'CONFIG_INVALID');
  const connection = failures.find(({ id }) => id === 'connection');
  const code = isConfiguration ? 'CONFIG_INVALID' : (connection?.code ?? 'DOCTOR_FAILED');
  return new TenantctlError(
    code,
    `${counted(failures.length, 'check')} failed: ${listed(failures.map(({ title }) => title))}.`,
    { hint: 'Each failed check carries its remedy; run tenantctl doctor again when it has been followed.' },
  );
}
