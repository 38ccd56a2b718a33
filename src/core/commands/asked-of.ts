import type { Concurrency } from '../run/lanes.ts';
import type { RolloutOptions } from '../rollout/options.ts';
import type { RollbackExtent, RunExtent } from '../plan/rollback-extent.ts';

/** The tenants that the ledger remembers by name as asked for; more are told by their number. */
const NAMED = 50;

/** What of a command's options is worth knowing later. */
interface Asked {
  readonly to?: string | undefined;
  readonly extent?: RollbackExtent | RunExtent | undefined;
  readonly tenants?: readonly string[] | undefined;
  readonly retryFailed?: number | true | undefined;
  readonly concurrency?: Concurrency | undefined;
  readonly compile?: boolean | undefined;
  readonly allowNewerHistory?: boolean | undefined;
  readonly allowOutOfOrder?: boolean | undefined;
  readonly rollout?: RolloutOptions | undefined;
}

/** What was asked for, as the ledger keeps it: nothing of how to reach the database, and nothing that was not set. */
export function askedOf(options: Asked): Record<string, unknown> {
  const { tenants, extent } = options;
  return {
    ...(options.to !== undefined && { to: options.to }),
    ...(extent !== undefined && ('run' in extent ? { run: extent.run } : extent)),
    ...(tenants !== undefined &&
      tenants.length > 0 &&
      (tenants.length <= NAMED ? { tenants } : { tenantCount: tenants.length })),
    ...(options.retryFailed !== undefined && { retryFailed: options.retryFailed }),
    ...(options.concurrency !== undefined && { concurrency: options.concurrency }),
    ...(options.compile === false && { compile: false }),
    ...(options.allowNewerHistory === true && { allowNewerHistory: true }),
    ...(options.allowOutOfOrder === true && { allowOutOfOrder: true }),
    ...(options.rollout !== undefined && { rollout: rolloutAsked(options.rollout) }),
  };
}

/** The name of a check, and not what it asks. */
function rolloutAsked({ check, ...rest }: RolloutOptions): Record<string, unknown> {
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return { ...given, ...(check !== undefined && { check: check.name }) };
}
