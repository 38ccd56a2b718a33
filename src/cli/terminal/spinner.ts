import { pacedLines } from './paced-lines.ts';

/** Milliseconds between two drawings. */
const DRAW_INTERVAL_MS = 100;

/** A line at the end of the terminal that moves, and lines above it that stay. */
export interface Spinner {
  /** Shows what `text` gives, which is asked each time that the moving line is drawn. */
  show(text: () => string): void;
  /** Writes a line above. */
  write(line: string): void;
  stop(): void;
}

/** A spinner on stderr, which `write` writes to. */
export async function createSpinner(write: (text: string) => void): Promise<Spinner> {
  const { default: ora } = await import('ora');
  let text = () => '';
  const spinner = ora({
    stream: process.stderr,
    discardStdin: false,
    interval: DRAW_INTERVAL_MS,
    // The only text of ora's that may be a function: asked at each drawing, so that nobody has to keep it up to date.
    suffixText: () => text(),
  });
  // What is written makes ora draw anew below it.
  const lines = pacedLines(write, DRAW_INTERVAL_MS);
  return {
    show(given) {
      text = given;
      if (!spinner.isSpinning) spinner.start();
    },
    write: (line) => lines.add(line),
    stop() {
      lines.end();
      spinner.stop();
    },
  };
}
