import type { TenantctlError } from '../../errors.ts';
import type { TenantNames } from '../../names.ts';
import type { Outcome } from '../serve/work.ts';

/** How a verb ended for a tenant. */
export interface VerbResult<Word extends string> extends TenantNames {
  /** `already-…`: nothing was changed. `skipped`: the run was stopped before. */
  readonly outcome: Word | 'failed' | 'skipped';
  readonly durationMs: number;
  readonly error?: TenantctlError | undefined;
}

/** How a verb ended for all that it was asked for. */
export interface VerbResults<Result> {
  /** The run's number in the ledger; absent if it could not be recorded. */
  readonly run?: number;
  /** One for each tenant. */
  readonly tenants: readonly Result[];
  /** The run was stopped before all tenants were served. */
  readonly interrupted: boolean;
  readonly durationMs: number;
}

export function verbResults<Result extends Pick<VerbResult<string>, 'outcome'>>(
  tenants: readonly Result[],
  durationMs: number,
): VerbResults<Result> {
  return { tenants, interrupted: tenants.some(({ outcome }) => outcome === 'skipped'), durationMs };
}

/** The result of a tenant, with its own error. */
export function verbResult<Word extends string, More extends object>(
  { clerkOrgId, schema }: TenantNames,
  outcome: Word,
  { error, ...more }: More & { readonly error?: TenantctlError | undefined },
) {
  const failure = error !== undefined && { error: error.with({ tenant: clerkOrgId }) };
  return { clerkOrgId, schema, outcome, durationMs: 0, ...more, ...failure };
}

/** For what `serve` returns. @param more of every result @param made of a tenant for which all was done */
export function toVerbResult<Done, More extends object, Made extends { readonly outcome: string }>(
  { task: { tenant }, durationMs, ...outcome }: Outcome<{ readonly tenant: TenantNames }, Done>,
  more: More,
  made: (done: Done) => Made,
) {
  if (outcome.kind === 'failed')
    return verbResult(tenant, 'failed', { ...more, durationMs, error: outcome.error });
  if (outcome.kind !== 'done') return verbResult(tenant, 'skipped', { ...more, durationMs });
  const { clerkOrgId, schema } = tenant;
  return { clerkOrgId, schema, durationMs, ...more, ...made(outcome.done) };
}
