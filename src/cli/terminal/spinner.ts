import type { Ora } from 'ora';
import { ASCII, type Look } from '../render/look.ts';

const DRAW_INTERVAL_MS = 100;

/** An animated last line on the terminal. Text written to stderr appears above it. */
export interface Spinner {
  /** Shows the result of `text`, which is called at each redraw. */
  show(text: () => string): void;
  stop(): void;
}

/** A spinner on stderr. The first text loads its package. */
export function createSpinner({ marks, paint }: Look): Spinner {
  let text: (() => string) | undefined;
  let spinner: Ora | undefined;
  let isStopped = false;
  const start = async () => {
    const { default: ora } = await import('ora');
    if (isStopped) return;
    spinner = ora({
      stream: process.stderr,
      discardStdin: false,
      color: paint.level > 0 && 'cyan',
      interval: DRAW_INTERVAL_MS,
      ...(marks === ASCII && { spinner: 'line' }),
      // The only text of ora that may be a function.
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
