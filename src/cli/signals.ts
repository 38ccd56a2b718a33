import { constants } from 'node:os';

/** What a signal has asked for. */
export interface Interruption {
  /** Aborted by the first SIGINT or SIGTERM: no new work is begun. */
  readonly signal: AbortSignal;
  /** 130 or 143 once a signal has come. */
  exitCode(): number | undefined;
  /** Gives the signals back to Node. */
  stop(): void;
}

/**
 * Listens to SIGINT and SIGTERM. The first lets the tenants at work finish; the second ends the process at once, and
 * the server rolls back what was open.
 */
export function listenForSignals(announce: (message: string) => void): Interruption {
  const controller = new AbortController();
  let code: number | undefined;
  const onSignal = (name: 'SIGINT' | 'SIGTERM') => {
    if (code !== undefined) process.exit(code);
    code = 128 + constants.signals[name];
    announce('Stopping: no new tenant is begun, those at work finish. Once more ends it at once.');
    controller.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    exitCode: () => code,
    stop() {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
