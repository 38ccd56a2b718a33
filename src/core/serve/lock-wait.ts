import { TenantctlError } from '../../errors.ts';
import { pause } from '../run/retry.ts';
import type { RunContext } from '../run/run-context.ts';

const POLL_MS = 150;

/**
 * Waits for a schema that another run holds, by asking again: a statement that waits in the server would hold up
 * CREATE INDEX CONCURRENTLY everywhere in the database.
 * @returns a function to call after each vain attempt: 'again' after a short wait, or when the run is stopped; 'over'
 *   when the context's lockWaitMs have passed
 */
export function createLockWait(context: RunContext): () => Promise<'again' | 'over'> {
  const deadline = Date.now() + context.lockWaitMs;
  return async () => {
    if (context.signal?.aborted !== true && Date.now() >= deadline) return 'over';
    await pause(POLL_MS, context.signal);
    return 'again';
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
