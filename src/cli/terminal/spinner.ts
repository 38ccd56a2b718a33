import type { Ora } from 'ora';

/** Milliseconds between two drawings. */
const DRAW_INTERVAL_MS = 100;

/** A line at the end of the terminal that moves. What is written to stderr meanwhile stands above it. */
export interface Spinner {
  /** Shows what `text` returns, which is called each time the line is drawn. */
  show(text: () => string): void;
  stop(): void;
}

/** A spinner on stderr. The first text loads its package. */
export function createSpinner(): Spinner {
  let text: (() => string) | undefined;
  let spinner: Ora | undefined;
  let isStopped = false;
  const start = async () => {
    const { default: ora } = await import('ora');
    if (isStopped) return;
    spinner = ora({
      stream: process.stderr,
      discardStdin: false,
      interval: DRAW_INTERVAL_MS,
      // The only text of ora's that may be a function.
      suffixText: () => text?.() ?? '',
    }).start();
  };
  return {
    show(given) {
      const isFirst = text === undefined;
      text = given;
      if (isFirst) void start();
    },
    stop() {
      isStopped = true;
      spinner?.stop();
    },
  };
}
