import { TenantctlError } from '../../errors.ts';
import { checkOptions } from '../options/check-options.ts';
import type { Check } from './check.ts';
import { decide } from './decide.ts';
import { gatherFacts, type DiagnoseOptions } from './facts.ts';
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
  /** If a check failed. CONFIG_INVALID for the configuration, else the connection's code, else DOCTOR_FAILED. */
  readonly error?: TenantctlError | undefined;
}

/**
 * Checks everything that a run needs: Node, variables, folders and files, the connection, TLS, rights, pgvector, the
 * registry and the histories. Only reads, but runs the top level of the migration files. Does not throw for what it
 * finds: a failed check is part of the result, with its remedy.
 */
export async function diagnose(options: DiagnoseOptions): Promise<Diagnosis> {
  checkOptions(options, 'nodeVersion');
  return toDiagnosis(decide(await gatherFacts(options)));
}

/** Sums up the checks. Pure. */
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
