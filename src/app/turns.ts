import { sqlstateOf } from './admission.ts';

/** The statements of a call, one after the other: pg 9 will refuse two at once. */
export interface Turns {
  /** Sends a statement when those before it are answered. */
  take<Result>(send: () => Promise<Result>): Promise<Result>;
  /** Those that wait for their turn are not sent. */
  readonly stop: (reason: Error) => void;
  /** A statement is not answered yet. */
  readonly isBusy: () => boolean;
  /** Why no more are sent; undefined if they are. */
  readonly stopped: () => Error | undefined;
  /** The last error of a statement that the server has answered. */
  readonly failure: () => unknown;
  /** Waits for those that nobody waited for. @returns their first error */
  settle(): Promise<unknown>;
}

export function createTurns(): Turns {
  const pending = new Set<Promise<unknown>>();
  let last: Promise<unknown> = Promise.resolve();
  let failure: unknown;
  let stopped: Error | undefined;
  return {
    take(send) {
      const sent = last.then(() => {
        if (stopped !== undefined) throw stopped;
        return send();
      });
      pending.add(sent);
      last = sent.then(
        () => pending.delete(sent),
        (error: unknown) => {
          // 25P02 is what follows from an earlier one.
          if (sqlstateOf(error) !== '25P02') failure = error;
          return pending.delete(sent);
        },
      );
      return sent;
    },
    stop: (reason) => (stopped ??= reason),
    isBusy: () => pending.size > 0,
    stopped: () => stopped,
    failure: () => failure,
    async settle() {
      const outcomes = await Promise.allSettled(pending);
      return outcomes.find((outcome) => outcome.status === 'rejected')?.reason as unknown;
    },
  };
}
