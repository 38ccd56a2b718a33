import { setTimeout as sleep } from 'node:timers/promises';
import { TenantctlError } from '../../errors.ts';
import type { RunContext } from './run-context.ts';

const POLL_MS = 150;

/**
 * Waiting for a schema that another run is at work on, by asking again: a statement that waits in the server would
 * hold up CREATE INDEX CONCURRENTLY everywhere in the database.
 * @returns a function to call after each vain attempt; it throws TenantctlError LOCK_TIMEOUT when the context's
 *   lockWaitMs is over, INTERRUPTED when the run was told to stop
 */
export function createLockWait(context: RunContext): (tenant: string | undefined) => Promise<void> {
  const deadline = Date.now() + context.lockWaitMs;
  return async (tenant) => {
    const whom = tenant === undefined ? 'the master schema' : `"${tenant}"`;
    if (context.signal?.aborted) {
      throw new TenantctlError('INTERRUPTED', `Stopped while another run was at work on ${whom}.`, {
        tenant,
        hint: 'Run the command again: it goes on where this one stopped.',
      });
    }
    if (Date.now() >= deadline) throw lockTimeout(context, tenant);
    await sleep(POLL_MS);
  };
}

/** Another run has not let go of a tenant, or of the master schema, in all the time that was allowed. */
export function lockTimeout(
  { lockWaitMs }: Pick<RunContext, 'lockWaitMs'>,
  tenant: string | undefined,
): TenantctlError {
  const whom = tenant === undefined ? 'the master schema' : `"${tenant}"`;
  return new TenantctlError(
    'LOCK_TIMEOUT',
    `Another run was still at work on ${whom} after ${lockWaitMs / 1000} s.`,
    {
      tenant,
      hint: 'Wait for it to end and run the command again, or allow more time with LOCK_WAIT_TIMEOUT_MS.',
    },
  );
}
