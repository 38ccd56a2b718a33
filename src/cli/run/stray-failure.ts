import { messageOf, TenantctlError } from '../../errors.ts';

/** Failures that reach no one: of a promise that nobody awaits, or thrown in a callback. */
export interface StrayFailures {
  /** Rejects with the first of them. */
  readonly failed: Promise<never>;
  /** Gives them back to Node. */
  stop(): void;
}

/**
 * Node ends the process at such a failure, with nothing but a stack. A migration that forgets an `await` is enough for
 * one, so it is told as an error of the command.
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
