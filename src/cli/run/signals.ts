import { constants } from 'node:os';

/** What signals have asked for. */
export interface Interruption {
  /** Aborted by the first SIGINT or SIGTERM: no new work is started. */
  readonly signal: AbortSignal;
  /** Calls `cancel` on the second signal, which otherwise ends the process. @returns a function that undoes this */
  onSecond(cancel: () => void): () => void;
  /** From now on, the first signal cancels too: the work changes nothing, and need not finish. */
  cancelOnFirst(): void;
  /** The running work has been cancelled. */
  isCancelled(): boolean;
  /** 130 or 143 once a signal has come. */
  exitCode(): number | undefined;
  /** Stops listening. */
  stop(): void;
}

/**
 * Listens to SIGINT and SIGTERM. After the first the running tenants finish; the second cancels them and rolls them
 * back; the third ends the process at once, and the server rolls back.
 */
export function listenForSignals(announce: (message: string) => void): Interruption {
  const controller = new AbortController();
  let code: number | undefined;
  let isCancelled = false;
  let isEager = false;
  const cancels = new Set<() => void>();
  const onSignal = (name: 'SIGINT' | 'SIGTERM') => {
    if (code === undefined) {
      code = 128 + constants.signals[name];
      controller.abort();
      if (!isEager) {
        announce('Stopping: no new tenants are started, running ones finish. A second Ctrl-C cancels them.');
        return;
      }
    }
    if (isCancelled || cancels.size === 0) process.exit(code);
    isCancelled = true;
    announce('Cancelling: running tenants are rolled back. A third Ctrl-C ends the program at once.');
    for (const cancel of cancels) cancel();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    onSecond(cancel) {
      cancels.add(cancel);
      return () => cancels.delete(cancel);
    },
    cancelOnFirst: () => (isEager = true),
    isCancelled: () => isCancelled,
    exitCode: () => code,
    stop() {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
