import type { TenantResult } from '../../core/report/results.ts';
import type { Output } from './output.ts';
import { shortError } from '../render/error.ts';

/** A run over so few tenants is over before its failures could be read one by one. */
const SHORT_RUN = 25;

/** So many failures are shown as they come: a migration may fail for every tenant. The result has them all. */
const SHOWN = 10;

/**
 * The line to show when a tenant is done, if any: the first failures; with --verbose each failure and each success.
 * `due` is how many tenants the run is for.
 */
export function createTenantLines(output: Output): (result: TenantResult, due: number) => string | undefined {
  const { paintError: paint, verbose } = output;
  let failures = 0;
  return ({ clerkOrgId, schema, outcome, durationMs, error }, due) => {
    if (outcome !== 'failed') {
      return verbose && outcome !== 'up-to-date'
        ? `${paint.green('✔')} ${clerkOrgId} ${paint.dim(`${schema}, ${durationMs} ms`)}`
        : undefined;
    }
    failures += 1;
    // On a terminal the result of a short run follows at once and says it better.
    if (!verbose && (failures > SHOWN + 1 || (output.resultIsSeen && due <= SHORT_RUN))) return undefined;
    return !verbose && failures > SHOWN
      ? `${paint.red('✖')} More tenants fail; from here on they are only counted (--verbose shows each).`
      : `${paint.red('✖')} ${clerkOrgId} ${paint.dim(schema)}: ${shortError(error)}`;
  };
}
