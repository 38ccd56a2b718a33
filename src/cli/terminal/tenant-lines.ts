import type { TenantResult } from '../../core/report/results.ts';
import { createFailureFilter } from './failure-filter.ts';
import type { Output } from './output.ts';
import { shortError } from '../render/error.ts';

/** A run over so few tenants is over before its failures could be read one by one. */
const SHORT_RUN = 25;

/**
 * The line that a tenant's end is worth, if any: each failure, until there are many alike; with --verbose each failure
 * and each success. `due` is how many tenants the run is for.
 */
export function createTenantLines(output: Output): (result: TenantResult, due: number) => string | undefined {
  const { paintError: paint } = output;
  const judge = createFailureFilter();
  const failure = (result: TenantResult, who: string, due: number): string | undefined => {
    const line = `${who}: ${shortError(result.error)}`;
    if (output.verbose) return line;
    // Where the same person reads both streams, a short run's result follows at once and says it better.
    if (output.resultIsSeen && due <= SHORT_RUN) return undefined;
    switch (judge(result)) {
      case 'show':
        return line;
      case 'end-of-kind':
        return `More tenants fail with this error; they are only counted from here on (--verbose shows each): ${shortError(result.error)}`;
      case 'end-of-all':
        return 'More tenants fail; they are only counted from here on (--verbose shows each).';
      case 'count':
        return undefined;
    }
  };
  return (result, due) => {
    const { clerkOrgId, schema, outcome, durationMs } = result;
    if (outcome === 'failed') {
      const line = failure(result, `${clerkOrgId} ${paint.dim(schema)}`, due);
      return line === undefined ? undefined : `${paint.red('✖')} ${line}`;
    }
    if (!output.verbose || outcome === 'up-to-date') return undefined;
    return `${paint.green('✔')} ${clerkOrgId} ${paint.dim(`${schema}, ${durationMs} ms`)}`;
  };
}
