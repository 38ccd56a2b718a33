import type { Observer, RunEvent } from '../../core/report/event.ts';
import type { Stage } from '../../core/report/rollout-result.ts';
import type { Output } from './output.ts';
import { createRateMeter } from './rate-meter.ts';
import { progressLine } from '../render/progress-line.ts';
import { announcement, whereabouts } from '../render/rollout.ts';
import { createSpinner, type Spinner } from './spinner.ts';
import { createTenantLines } from './tenant-lines.ts';

export interface Progress {
  readonly observe: Observer;
  stop(): void;
}

/** Milliseconds between two lines of progress where there is no terminal to draw on. */
const LINE_INTERVAL_MS = 5_000;

/**
 * Progress on stderr: a spinner on a terminal, now and then a line elsewhere. Warnings and failures are shown as they
 * come, above the spinner; of failures that are alike, the first ones.
 */
export async function createProgress(output: Output): Promise<Progress> {
  const spinner = output.animated ? await createSpinner((text) => output.message(text)) : undefined;
  return progressOn(output, spinner, () => performance.now());
}

/**
 * The same on a given spinner, where there is one, and a given clock, in milliseconds. The observer is called for each
 * of tens of thousands of tenants, so it only counts: what is shown is worked out when it is drawn.
 */
export function progressOn(output: Output, spinner: Spinner | undefined, now: () => number): Progress {
  const { paintError: paint } = output;
  let lastLine = now();
  let meter = createRateMeter(now);
  let done = 0;
  let due = 0;
  let failed = 0;
  /** The part of a rollout that is at work. */
  let stage: Stage | undefined;

  const lineOf = createTenantLines(output);
  const say = (line: string | undefined) => {
    if (line === undefined) return;
    if (spinner === undefined) output.message(line);
    else spinner.write(line);
  };
  const standing = () => {
    const line = progressLine({ done, due, failed, rate: meter.perSecond() });
    return stage === undefined ? line : `${whereabouts(stage, done)}, ${line}`;
  };
  const at = (text: () => string) => {
    if (spinner !== undefined) spinner.show(text);
    else if (now() - lastLine >= LINE_INTERVAL_MS) {
      lastLine = now();
      output.message(text());
    }
  };
  const observe = (event: RunEvent) => {
    switch (event.type) {
      case 'phase':
        at(() => event.message);
        break;
      case 'warning':
        say(`${paint.yellow('!')} ${event.message}`);
        break;
      case 'note':
        if (output.verbose) say(event.message);
        break;
      case 'wave':
        stage = event;
        say(announcement(event));
        break;
      case 'selected':
        if (event.due === 0) break;
        [done, due] = [0, event.due];
        stage = undefined;
        // What came before, reading histories say, took no tenant's time.
        meter = createRateMeter(now);
        at(standing);
        break;
      case 'tenant':
        ({ done, due } = event);
        meter.mark(done);
        if (event.result.outcome === 'failed') failed += 1;
        say(lineOf(event.result, due));
        at(standing);
        break;
    }
  };
  return { observe, stop: () => spinner?.stop() };
}
