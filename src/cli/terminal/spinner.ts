/** Milliseconds between two drawings. */
const DRAW_INTERVAL_MS = 100;

/** A line at the end of the terminal that moves. What is written to stderr meanwhile stands above it. */
export interface Spinner {
  /** Shows what `text` returns, which is called each time that the line is drawn. */
  show(text: () => string): void;
  stop(): void;
}

/** A spinner on stderr. */
export async function createSpinner(): Promise<Spinner> {
  const { default: ora } = await import('ora');
  let text = () => '';
  const spinner = ora({
    stream: process.stderr,
    discardStdin: false,
    interval: DRAW_INTERVAL_MS,
    // The only text of ora's that may be a function.
    suffixText: () => text(),
  });
  return {
    show(given) {
      text = given;
      if (!spinner.isSpinning) spinner.start();
    },
    stop: () => void spinner.stop(),
  };
}
