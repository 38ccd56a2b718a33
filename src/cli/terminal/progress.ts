import type { Observer, RunEvent } from '../../core/report/event.ts';
import type { Stage } from '../../core/report/rollout-result.ts';
import type { TenantResult } from '../../core/report/results.ts';
import { counted } from '../../wording.ts';
import { shortError } from '../render/error.ts';
import { progressBar, progressLine, type RunProgress } from '../render/progress-line.ts';
import { renderStage, whereabouts } from '../render/rollout.ts';
import type { Output } from './output.ts';
import { createSpinner, type Spinner } from './spinner.ts';

export interface Progress {
  readonly observe: Observer;
  stop(): void;
}

/** Milliseconds between progress lines without a terminal. */
const LINE_INTERVAL_MS = 5_000;

/** Columns of the spinner. */
const BESIDE_SPINNER = 4;

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
  const started = now();
  let lastLine = started;
  let perSecond = measureRate(now);
  let [done, due, failed, stage]: [number, number, number, Stage | undefined] = [0, 0, 0, undefined];
  const warn = createWarn(output);
  const work = countWork(now);
  const failures = createFailures(output, () => now() - started >= LINE_INTERVAL_MS);

  const { marks, width = Infinity } = output.errorLook;
  const standing = () => {
    const where = stage === undefined ? '' : `${whereabouts(stage, done)}, `;
    const facts = { done, due, failed, rate: perSecond(done), ...work() };
    const lineOf = (isShort: boolean) => where + progressLine(facts, isShort);
    if (spinner === undefined) return lineOf(false);
    const bar = `${progressBar(done, due, marks)} `;
    const lines = [bar + lineOf(false), bar + lineOf(true), lineOf(true)];
    return lines.find((line) => line.length + BESIDE_SPINNER <= width) ?? lineOf(true);
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
        return warn(event.message);
      case 'note':
        return output.verbose ? output.message(event.message) : undefined;
      case 'wave':
        stage = event;
        return show(standing);
      case 'wave-done':
        return output.message(`${progressBar(done, due, marks)} ${renderStage(event, output.errorLook)}`);
      case 'batch':
      case 'written':
        work(event);
        return show(standing);
      case 'selected':
        if (event.due === 0) return;
        [done, due, stage] = [0, event.due, undefined];
        // Exclude the time in which histories were read.
        perSecond = measureRate(now);
        return show(standing);
      case 'tenant': {
        ({ done, due } = event);
        perSecond(done);
        const { result } = event;
        if (result.outcome === 'failed') {
          failed += 1;
          failures.add(result);
        } else if (output.verbose && result.outcome !== 'up-to-date')
          output.message(successLine(output, result));
        return show(standing);
      }
    }
  };
  return {
    observe,
    stop() {
      spinner?.stop();
      failures.stop();
    },
  };
}

/** If the server is lost, many things fail alike: without --verbose, each message is shown once. */
function createWarn(output: Output): (message: string) => void {
  const warned = new Set<string>();
  return (message) => {
    if (output.verbose || !warned.has(message)) output.warn(message);
    warned.add(message);
  };
}

function successLine({ errorLook: { paint, marks } }: Output, result: TenantResult): string {
  const { clerkOrgId, schema, durationMs } = result;
  return `${paint.green(marks.ok)} ${clerkOrgId} ${paint.dim(`${schema}, ${durationMs} ms`)}`;
}

/** Up to this many causes are announced. */
const ANNOUNCED = 10;

/**
 * Announces the first failure for each migration and SQLSTATE, and counts the others. The result has the
 * reasons, so only a long run announces any. With --json the result is not for people: the error is shown at
 * once.
 */
function createFailures(output: Output, isLong: () => boolean) {
  const { json, verbose } = output;
  const { paint, marks } = output.errorLook;
  const counts = new Map<string, number>();
  const waiting: string[] = [];
  return {
    add({ clerkOrgId, schema, error }: TenantResult): void {
      const who = `${paint.red(marks.failed)} ${clerkOrgId} ${paint.dim(schema)}`;
      const { code, migration, sqlstate } = error ?? {};
      const isMigration = migration !== undefined && code !== 'CHECK_REFUSED';
      const message = isMigration ? `failed at ${migration}` : `failed (${code})`;
      const place = shortError({ message, sqlstate });
      const count = (counts.get(place) ?? 0) + 1;
      counts.set(place, count);
      const isAnnounced = verbose || (count === 1 && counts.size <= ANNOUNCED);
      if (isAnnounced) waiting.push(json ? `${who}: ${shortError(error)}` : `${who} ${place}`);
      if (json || verbose || isLong()) for (const line of waiting.splice(0)) output.message(line);
    },
    stop(): void {
      if (!json || verbose) return;
      for (const [place, count] of counts)
        if (count > 1) output.message(`${paint.red(marks.failed)} ${counted(count, 'tenant')} ${place}`);
    },
  };
}

/** Counts the rows of a backfill and the bytes of backups. */
function countWork(
  now: () => number,
): (
  event?: Extract<RunEvent, { type: 'batch' | 'written' }>,
) => Pick<RunProgress, 'rows' | 'rowRate' | 'bytes'> {
  const perSecond = measureRate(now);
  let [rows, bytes] = [0, 0];
  return (event) => {
    if (event?.type === 'batch') rows = event.total.rows;
    if (event?.type === 'written') bytes = event.total;
    return { rows, rowRate: perSecond(rows), bytes };
  };
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
