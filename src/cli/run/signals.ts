import { constants } from 'node:os';
import { TenantctlError } from '../../errors.ts';

export interface Interruption {
  /** Aborted by the first SIGINT or SIGTERM: no new work starts. */
  readonly signal: AbortSignal;
  /** Calls `cancel` on the second signal, which otherwise exits. @returns a function that undoes this */
  onSecond(cancel: () => void): () => void;
  /** Makes the first signal cancel too: the work changes nothing and need not finish. */
  cancelOnFirst(): void;
  /** Makes the first signal only abort `signal`, without a message: nothing is at work. */
  abortOnFirst(): void;
  /**
   * Awaits what a person or another program types, while nothing is at work: the first signal ends that at once.
   * @throws TenantctlError INTERRUPTED
   */
  waitFor<T>(input: Promise<T>): Promise<T>;
  /** From now on, the work is programs: the first signal is delivered to them, the second as SIGKILL. */
  passOn(deliver: (signal: NodeJS.Signals) => void): void;
  isCancelled(): boolean;
  /** 130 or 143 after a signal. */
  exitCode(): number | undefined;
  stop(): void;
}

/** SIGINT or SIGTERM: the first lets tenants finish, the second rolls them back, the third exits at once. */
export function listenForSignals(announce: (message: string) => void): Interruption {
  const controller = new AbortController();
  let code: number | undefined;
  let isCancelled = false;
  let isEager = false;
  let isQuiet = false;
  let deliver: ((signal: NodeJS.Signals) => void) | undefined;
  let waiting = 0;
  const cancels = new Set<() => void>();
  const onSignal = (name: 'SIGINT' | 'SIGTERM' | 'SIGHUP') => {
    if (deliver !== undefined) {
      const isFirst = code === undefined;
      code ??= 128 + constants.signals[name];
      controller.abort();
      if (isFirst)
        announce(
          'Stopping: no new tenants are started, running programs get the signal. A second one kills them.',
        );
      deliver(isFirst ? name : 'SIGKILL');
      return;
    }
    if (code === undefined) {
      code = 128 + constants.signals[name];
      controller.abort();
      if (isQuiet || waiting > 0) return;
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
    passOn(programs) {
      deliver = programs;
      process.on('SIGHUP', onSignal);
    },
    cancelOnFirst: () => (isEager = true),
    abortOnFirst: () => (isQuiet = true),
    async waitFor(input) {
      waiting += 1;
      try {
        return await unlessStopped(controller.signal, input);
      } finally {
        waiting -= 1;
      }
    },
    isCancelled: () => isCancelled,
    exitCode: () => code,
    stop() {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
      process.off('SIGHUP', onSignal);
    },
  };
}

/** What the input becomes. @throws TenantctlError INTERRUPTED if the signal is first: nobody reads on then */
async function unlessStopped<T>(signal: AbortSignal, input: Promise<T>): Promise<T> {
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const stop = () => reject(new TenantctlError('INTERRUPTED', 'Stopped before anything was changed.'));
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([input, stopped]);
  } catch (error) {
    // Whoever has the other end of it may never write again.
    if (signal.aborted) process.stdin.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
