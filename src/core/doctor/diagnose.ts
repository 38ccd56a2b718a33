import { TenantctlError } from '../../errors.ts';
import { checkOptions } from '../options/check-options.ts';
import type { Check } from './check.ts';
import { decide } from './decide.ts';
import { gatherFacts, type DiagnoseOptions } from './facts.ts';
import { counted, listed } from '../../wording.ts';

export interface Diagnosis {
  readonly checks: readonly Check[];
  readonly totals: {
    readonly ok: number;
    readonly warnings: number;
    readonly failed: number;
    readonly skipped: number;
  };
  /** Set if a check failed: CONFIG_INVALID, else the connection's code, else DOCTOR_FAILED. */
  readonly error?: TenantctlError | undefined;
}

/** Checks what a run needs. Read-only, but loads migration files. Problems are failed checks, not thrown. */
export async function diagnose(options: DiagnoseOptions): Promise<Diagnosis> {
  checkOptions(options, 'nodeVersion');
  return toDiagnosis(decide(await gatherFacts(options)));
}

export function toDiagnosis(checks: readonly Check[]): Diagnosis {
  const having = (status: Check['status']) => checks.filter((check) => check.status === status);
  const failures = having('failed');
  const totals = {
    ok: having('ok').length,
    warnings: having('warning').length,
    failed: failures.length,
    skipped: having('skipped').length,
  };
  if (failures.length === 0) return { checks, totals };
  const isConfiguration = failures.some(({ code }) => code === 'CONFIG_INVALID');
  const connection = failures.find(({ id }) => id === 'connection');
  const error = new TenantctlError(
    isConfiguration ? 'CONFIG_INVALID' : (connection?.code ?? 'DOCTOR_FAILED'),
    `${counted(failures.length, 'check')} failed: ${listed(failures.map(({ title }) => title))}.`,
    { hint: 'Follow the remedy of each failed check, then run tenantctl doctor again.' },
  );
  return { checks, totals, error };
}
