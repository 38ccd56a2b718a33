import { TenantctlError } from '../../errors.ts';

/** The ledger has no run of this number. */
export function runUnknown(run: number): TenantctlError {
  return new TenantctlError('RUN_UNKNOWN', `There is no run ${run} in the ledger.`, {
    hint: 'tenantctl runs lists the runs that are there; old ones are forgotten (--keep, RUNS_KEEP).',
  });
}
