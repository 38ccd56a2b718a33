import type { Observer, RunEvent } from '../core/observer.ts';
import type { Output } from './output.ts';
import { shortError } from './render/error.ts';

export interface Progress {
  readonly observe: Observer;
  stop(): void;
}

/** A run over so few tenants is over before its failures could be read one by one. */
const SHORT_RUN = 25;

/** Milliseconds between two lines of progress where there is no terminal to draw on. */
const LINE_INTERVAL_MS = 5_000;

/**
 * Progress on stderr: a spinner on a terminal, now and then a line elsewhere. Warnings and failures are shown as they
 * come, above the spinner.
 */
export async function createProgress(output: Output): Promise<Progress> {
  const spinner = output.animated ? await createSpinner() : undefined;
  const started = Date.now();
  let lastLine = Date.now();
  let failed = 0;

  const say = (line: string) => {
    spinner?.clear();
    output.message(line);
    spinner?.render();
  };
  const at = (text: string) => {
    if (spinner !== undefined) {
      spinner.text = text;
      if (!spinner.isSpinning) spinner.start();
    }
  };
  const observe = (event: RunEvent) => {
    switch (event.type) {
      case 'phase':
        at(event.message);
        break;
      case 'warning':
        say(`${output.paintError.yellow('!')} ${event.message}`);
        break;
      case 'selected':
        if (event.due > 0) at(`0/${event.due} tenants`);
        break;
      case 'tenant': {
        const { result, done, due } = event;
        if (result.outcome === 'failed') failed += 1;
        // Where the same person reads both streams, a short run's result follows at once and says it better.
        const isTold = output.resultIsSeen && due <= SHORT_RUN && !output.verbose;
        if (result.outcome === 'failed' && !isTold) {
          say(
            `${output.paintError.red('✖')} ${result.clerkOrgId} ${output.paintError.dim(result.schema)}: ${shortError(result.error)}`,
          );
        } else if (output.verbose && result.outcome !== 'up-to-date') {
          say(
            `${output.paintError.green('✔')} ${result.clerkOrgId} ${output.paintError.dim(`${result.schema}, ${result.durationMs} ms`)}`,
          );
        }
        const line = rateLine(done, due, failed, started);
        at(line);
        if (spinner === undefined && Date.now() - lastLine >= LINE_INTERVAL_MS) {
          lastLine = Date.now();
          output.message(line);
        }
        break;
      }
    }
  };
  return { observe, stop: () => spinner?.stop() };
}

/** "120/500 tenants, 85/s, 4 s to go, 2 failed" */
function rateLine(done: number, due: number, failed: number, started: number): string {
  const seconds = Math.max((Date.now() - started) / 1000, 0.001);
  const rate = done / seconds;
  const left = Math.ceil((due - done) / rate);
  const parts = [`${done}/${due} tenants`, `${rate >= 10 ? Math.round(rate) : rate.toFixed(1)}/s`];
  if (done < due) parts.push(`${left} s to go`);
  if (failed > 0) parts.push(`${failed} failed`);
  return parts.join(', ');
}

async function createSpinner() {
  const { default: ora } = await import('ora');
  return ora({ stream: process.stderr, discardStdin: false });
}
