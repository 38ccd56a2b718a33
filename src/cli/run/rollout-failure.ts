import type { FleetResult } from '../../core/report/results.ts';
import { TenantctlError } from '../../errors.ts';
import { counted } from '../../wording.ts';

/** The error of a run that was stopped because too many tenants failed; undefined if it was not. */
export function rolloutFailure({ rollout, totals }: FleetResult): TenantctlError | undefined {
  if (rollout?.stopped === undefined) return undefined;
  const { reason } = rollout.stopped;
  return new TenantctlError(
    'ROLLOUT_STOPPED',
    `The rollout was stopped: ${reason}. ${counted(totals.skipped, 'tenant', 'was')} not begun.`,
    {
      hint:
        rollout.rolledBack === undefined
          ? `What was applied stays applied. See to the ${counted(totals.failed, 'tenant')} that failed, and run the command again: it goes on where this one stopped.`
          : 'See to what failed, and run the command again.',
    },
  );
}
