import type { TenantctlError } from '../../errors.ts';
import type { Observer } from '../report/event.ts';
import type { TenantOutcome } from '../report/results.ts';
import type { Outcome, Task, Work } from './work.ts';

/** What a verb's result for a tenant says. */
interface Ended {
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly durationMs: number;
  readonly error?: TenantctlError | undefined;
}

/**
 * For `serve`: tells the observer how a verb ended for each tenant.
 * @param done the outcome of a tenant for which all was done
 * @param namesOf the migrations that the verb applied; none if absent
 */
export function observeEnd<T extends Task, Done, Result extends Ended>(
  observe: Observer,
  done: TenantOutcome,
  toResult: (outcome: Outcome<T, Done>) => Result,
  namesOf: (result: Result) => readonly string[] = () => [],
): NonNullable<Work<T, Done>['onEnd']> {
  return (outcome, ended, due) => {
    const ending = toResult(outcome);
    const { clerkOrgId, schema, durationMs, error } = ending;
    const word = outcome.kind === 'done' ? done : outcome.kind === 'failed' ? 'failed' : 'skipped';
    const result = { clerkOrgId, schema, durationMs, error, outcome: word, names: namesOf(ending), batch: 0 };
    observe({ type: 'tenant', result, done: ended, due });
  };
}
