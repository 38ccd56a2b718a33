import type { Observer, RunEvent } from '../../core/report/event.ts';
import type { Stage } from '../../core/report/rollout-result.ts';
import type { TenantResult } from '../../core/report/results.ts';
import { shortError } from '../render/error.ts';
import { progressLine } from '../render/progress-line.ts';
import { announcement, whereabouts } from '../render/rollout.ts';
import type { Output } from './output.ts';
import { createSpinner, type Spinner } from './spinner.ts';

export interface Progress {
  readonly observe: Observer;
  stop(): void;
}

/** Milliseconds between progress lines without a terminal. */
const LINE_INTERVAL_MS = 5_000;

/** The rate covers one or two spans. A span has at least this duration and number of tenants. */
const SPAN_MS = 5_000;
const SPAN_TENANTS = 25;

/** Progress on stderr: a spinner on a terminal, otherwise a line every few seconds. */
export function createProgress(output: Output): Progress {
  return progressOn(output, output.animated ? createSpinner(output.errorLook) : undefined, () =>
    performance.now(),
  );
}

/**
 * Progress on a spinner, or in lines. The observer runs for each of tens of thousands of tenants, so it only
 * counts: the text is made when drawn.
 * @param now a clock, in milliseconds
 */
export function progressOn(output: Output, spinner: Spinner | undefined, now: () => number): Progress {
  let lastLine = now();
  let perSecond = measureRate(now);
  let [done, due, failed] = [0, 0, 0];
  let stage: Stage | undefined;

  const standing = () => {
    const line = progressLine({ done, due, failed, rate: perSecond(done) });
    return stage === undefined ? line : `${whereabouts(stage, done)}, ${line}`;
  };
  const show = (text: () => string) => {
    if (spinner !== undefined) spinner.show(text);
    else if (now() - lastLine >= LINE_INTERVAL_MS) {
      lastLine = now();
      output.message(text());
    }
  };
  const observe = (event: RunEvent) => {
    switch (event.type) {
      case 'phase':
        return show(() => event.message);
      case 'warning':
        return output.warn(event.message);
      case 'note':
        return output.verbose ? output.message(event.message) : undefined;
      case 'wave':
        stage = event;
        return output.message(announcement(event));
      case 'selected':
        if (event.due === 0) return;
        [done, due, stage] = [0, event.due, undefined];
        // Exclude the time in which histories were read.
        perSecond = measureRate(now);
        return show(standing);
      case 'tenant': {
        ({ done, due } = event);
        perSecond(done);
        if (event.result.outcome === 'failed') failed += 1;
        const line = tenantLine(output, event.result, due, failed);
        if (line !== undefined) output.message(line);
        return show(standing);
      }
    }
  };
  return { observe, stop: () => spinner?.stop() };
}

/** Runs of up to this many tenants end before anybody could read single failures. */
const SHORT_RUN = 25;

/** How many failures are shown: a migration may fail for every tenant. The result lists them all. */
const SHOWN = 10;

/** The line for a finished tenant, if any: the first failures; with --verbose every failure and success. */
function tenantLine(
  { errorLook: { paint, marks }, verbose, resultIsSeen }: Output,
  { clerkOrgId, schema, outcome, durationMs, error }: TenantResult,
  due: number,
  failures: number,
): string | undefined {
  if (outcome !== 'failed') {
    const isShown = verbose && outcome !== 'up-to-date';
    return isShown
      ? `${paint.green(marks.ok)} ${clerkOrgId} ${paint.dim(`${schema}, ${durationMs} ms`)}`
      : undefined;
  }
  // On a terminal, the result of a short run follows at once with the reasons.
  if (!verbose && (failures > SHOWN + 1 || (resultIsSeen && due <= SHORT_RUN))) return undefined;
  return !verbose && failures > SHOWN
    ? `${paint.red(marks.failed)} More tenants fail; from here on they are only counted (--verbose shows each).`
    : `${paint.red(marks.failed)} ${clerkOrgId} ${paint.dim(schema)}: ${shortError(error)}`;
}

/** Recent tenants per second: the average of the whole run is a poor forecast. */
function measureRate(now: () => number): (done: number) => number {
  let before = { at: now(), done: 0 };
  let latest = before;
  return (done) => {
    const at = now();
    if (at - latest.at >= SPAN_MS && done - latest.done >= SPAN_TENANTS)
      [before, latest] = [latest, { at, done }];
    return at > before.at ? ((done - before.done) * 1000) / (at - before.at) : 0;
  };
}
