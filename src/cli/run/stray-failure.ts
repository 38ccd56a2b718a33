import { messageOf, TenantctlError } from '../../errors.ts';

/** Errors that nobody catches: of a promise that is not awaited, or thrown in a callback. */
export interface StrayFailures {
  /** Rejects with the first one. */
  readonly failed: Promise<never>;
  /** Gives them back to Node. */
  stop(): void;
}

/**
 * Reports such an error as the command's. Node would end the process with a stack; a missing `await` in a migration is
 * enough.
 */
export function listenForStrayFailures(): StrayFailures {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {});
  const onFailure = (cause: unknown) => {
    reject(
      new TenantctlError('INTERNAL', messageOf(cause), {
        hint: 'It came from a promise that nobody awaits, or from a callback: await every query of a migration. What was under way is rolled back; tenantctl status shows where each tenant is.',
        cause,
      }),
    );
  };
  process.on('unhandledRejection', onFailure);
  process.on('uncaughtException', onFailure);
  return {
    failed: promise,
    stop() {
      process.off('unhandledRejection', onFailure);
      process.off('uncaughtException', onFailure);
    },
  };
}
