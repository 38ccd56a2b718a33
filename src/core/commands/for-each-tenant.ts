import type { Database } from '../../db/database.ts';
import { toTenantctlError, type TenantctlError } from '../../errors.ts';
import { startStopwatch } from '../../stopwatch.ts';
import type { RefusedTenant, Selection } from '../fleet/select-fleet.ts';
import { readUsableTenants } from '../fleet/usable-tenants.ts';
import { checkCall } from '../options/check-call.ts';
import type { RegisteredTenant, Tenant } from '../registry/registry.ts';
import { silent, type Observer } from '../report/event.ts';
import { createFailureLimit, stopReason } from '../rollout/failure-limit.ts';
import type { Share } from '../rollout/options.ts';
import { createLanes, type Concurrency } from '../run/lanes.ts';
import { createRunContext } from '../run/run-context.ts';
import { serve } from '../serve/serve.ts';
import type { Outcome } from '../serve/work.ts';

export interface ForEachTenantOptions extends Selection {
  /** Called once for each tenant. If it throws, the tenant has failed; the others go on. */
  readonly work: (tenant: Pick<Tenant, 'clerkOrgId' | 'schema' | 'status'>) => Promise<void>;
  /** Tenants in parallel; 4 if absent. */
  readonly concurrency?: Concurrency | undefined;
  /** No more tenants are started after more failures than this; percentages are of the selected tenants. */
  readonly maxFailures?: Share | undefined;
  /** Aborting it starts no more tenants; the work that runs has to listen itself. */
  readonly signal?: AbortSignal | undefined;
  readonly observe?: Observer | undefined;
}

export interface VisitedTenant {
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly outcome: 'done' | 'failed' | 'skipped';
  readonly durationMs: number;
  readonly error?: TenantctlError | undefined;
}

export interface ForEachTenantResult {
  readonly totals: {
    readonly selected: number;
    readonly done: number;
    readonly failed: number;
    readonly skipped: number;
  };
  /** Why no more tenants were started, if `maxFailures` was exceeded. */
  readonly stopped?: string | undefined;
  readonly interrupted: boolean;
  readonly durationMs: number;
  readonly tenants: readonly VisitedTenant[];
}

interface Visit {
  readonly tenant: RegisteredTenant;
}

/**
 * Calls a function for all ACTIVE tenants, or the selected ones whatever their status, several in parallel. Takes no
 * tenant locks, tries nothing again and records nothing. A tenant whose schema is missing, or closed to this role, fails.
 * @throws TenantctlError REGISTRY_ABSENT, REGISTRY_INVALID, TENANT_UNKNOWN, CONCURRENCY_TOO_HIGH
 */
export async function forEachTenant(
  database: Database,
  given: ForEachTenantOptions,
): Promise<ForEachTenantResult> {
  const options = checkCall(database, given, 'work');
  const { signal, maxFailures, observe = silent } = options;
  const elapsedMs = startStopwatch();
  const { usable, refused } = await readUsableTenants(database, options);
  const failureLimit = createFailureLimit({ ...(maxFailures !== undefined && { maxFailures }) });
  failureLimit.expect(usable.length, refused.length);
  const context = { ...createRunContext(database, { signal }), failureLimit };
  const { outcomes } = await serve<Visit, undefined>(
    context,
    usable.map((tenant) => ({ tenant })),
    {
      lanes: await createLanes(database, options.concurrency, observe),
      observe,
      async attempt({ tenant: { clerkOrgId, schema, status } }) {
        try {
          await options.work({ clerkOrgId, schema, status });
          return { kind: 'done', done: undefined };
        } catch (thrown) {
          const error = toTenantctlError(thrown).with({ tenant: clerkOrgId });
          return { kind: 'failed', error, mayRepeat: false };
        }
      },
    },
  );
  const { stop } = failureLimit;
  const tenants = [...refused.map(toRefused), ...outcomes.map(toVisited)];
  const totals = totalsOf(tenants);
  return {
    totals,
    ...(stop !== undefined && totals.skipped > 0 && { stopped: stopReason(stop) }),
    interrupted: signal?.aborted === true && totals.done < totals.selected,
    durationMs: elapsedMs(),
    tenants,
  };
}

function toRefused({ tenant, error }: RefusedTenant<RegisteredTenant>): VisitedTenant {
  const { clerkOrgId, schema } = tenant;
  return { clerkOrgId, schema, outcome: 'failed', durationMs: 0, error };
}

function toVisited({ task: { tenant }, durationMs, ...outcome }: Outcome<Visit, undefined>): VisitedTenant {
  const about = { clerkOrgId: tenant.clerkOrgId, schema: tenant.schema, durationMs };
  if (outcome.kind === 'failed') return { ...about, outcome: 'failed', error: outcome.error };
  return { ...about, outcome: outcome.kind === 'done' ? 'done' : 'skipped' };
}

function totalsOf(tenants: readonly VisitedTenant[]): ForEachTenantResult['totals'] {
  const count = (outcome: VisitedTenant['outcome']) =>
    tenants.filter((tenant) => tenant.outcome === outcome).length;
  return {
    selected: tenants.length,
    done: count('done'),
    failed: count('failed'),
    skipped: count('skipped'),
  };
}
