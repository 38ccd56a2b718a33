import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import { startStopwatch } from '../../stopwatch.ts';
import { namesOf, type HooksOption } from '../commands/in-run.ts';
import { loadHooks } from '../files/load-hooks.ts';
import { prepareState, readState } from '../install/state-schema.ts';
import { withRun, type RecordedRun } from '../ledger/recorded-run.ts';
import { checkCall } from '../options/check-call.ts';
import { checkOptions } from '../options/check-options.ts';
import { findTenants } from '../registry/registry.ts';
import { assertHolds, assertRegistry } from '../registry/registry-shape.ts';
import { TRANSITIONS } from '../registry/transitions.ts';
import { observeRun, silent, type Observer } from '../report/event.ts';
import { createLanes, ONE_LANE, type Concurrency } from '../run/lanes.ts';
import { createRunContext, type RunOptions } from '../run/run-context.ts';
import { serveStatusChange } from './serve-status-change.ts';
import {
  endingOf,
  type StatusChangeResult,
  type StatusChanges,
  type StatusVerb,
} from './status-change-result.ts';
import { register } from './triage.ts';
import { triageByStatus } from './triage-by-status.ts';

export interface SuspendOptions extends Omit<RunOptions, 'recordings'>, HooksOption {
  /** Tenants suspended in parallel; if absent 4, or fewer if few connections are free. */
  readonly concurrency?: Concurrency | undefined;
  /**
   * Also suspends tenants that are PROVISIONING or FAILED, and registers organizations that the registry lacks as
   * SUSPENDED: whatever order events arrive in, none of them is provisioned later. Give organization ids, then, not
   * schema names.
   */
  readonly unfinished?: boolean | undefined;
  readonly observe?: Observer | undefined;
}

/**
 * Suspends ACTIVE tenants: the application and `migrate` leave them alone from then on, and nothing in their schemas
 * is changed. A migration at work is waited for. Each status is changed in a transaction of its own, under the
 * tenant's lock; it notifies the channel `tenantctl` of the organization id. A SUSPENDED tenant is left as it is.
 * @param organizationIds or schema names
 * @throws TenantctlError TENANT_UNKNOWN, before anything is changed; REGISTRY_INVALID if the status column cannot
 *   hold the value. One tenant's failure is in its result: TENANT_NOT_ACTIVE, LOCK_TIMEOUT; with `unfinished` also why
 *   it cannot be registered
 */
export async function suspendTenants(
  database: Database,
  organizationIds: readonly string[],
  given: SuspendOptions = {},
): Promise<StatusChanges> {
  checkOptions({ organizationIds }, 'organizationIds');
  const {
    keepRuns: keep,
    runLabel: label,
    observe: heard = silent,
    unfinished = false,
    ...options
  } = checkCall(database, given);
  const facts = {
    command: 'tenant suspend' as const,
    options: namesOf(organizationIds),
    label,
    keep,
    observe: heard,
  };
  const suspend = async (run: RecordedRun): Promise<StatusChanges> => {
    const elapsedMs = startStopwatch();
    const observe = observeRun(heard, run);
    const hooks = options.hooks === undefined ? undefined : await loadHooks(options.hooks);
    const context = { ...createRunContext(database, options, run), hooks };
    const registry = await assertRegistry(database);
    assertHolds(registry, database.names, TRANSITIONS.suspend.to);
    const prepare = async () => prepareState(database, await readState(database), observe);
    if (unfinished) await prepare();
    const tenants = unfinished
      ? await register({ context, registry }, [...new Set(organizationIds)])
      : await findTenants(database, organizationIds);
    const change = unfinished ? 'suspendUnfinished' : 'suspend';
    const { tasks, results } = triageByStatus(change, tenants);
    observe({ type: 'selected', total: tasks.length + results.length, due: tasks.length });
    if (tasks.length > 0) {
      if (!unfinished) await prepare();
      await run.begin([]);
      const lanes = tasks.length > 1 ? await createLanes(database, options.concurrency, observe) : ONE_LANE;
      const work = { change, registry, lanes, observe } as const;
      results.push(...(await serveStatusChange(context, tasks, work)));
    }
    return { tenants: results, interrupted: isInterrupted(results), durationMs: elapsedMs() };
  };
  return withRun(database, facts, suspend, endingOf);
}

/** suspendTenants for one organization. @throws TenantctlError if its result is a failure */
export async function suspendTenant(
  database: Database,
  organizationId: string,
  options: SuspendOptions = {},
): Promise<StatusChangeResult> {
  checkOptions({ organizationId }, 'organizationId');
  return only(await suspendTenants(database, [organizationId], options));
}

export function isInterrupted(results: readonly StatusChangeResult[]): boolean {
  return results.some(({ outcome }) => outcome === 'skipped');
}

/** The result of the only organization. @throws TenantctlError its error; INTERRUPTED */
export function only({ tenants: [result] }: StatusChanges): StatusChangeResult {
  if (result?.error !== undefined) throw result.error;
  if (result === undefined || result.outcome === 'skipped')
    throw new TenantctlError('INTERRUPTED', 'The run was stopped before the tenant was served.');
  return result;
}

/**
 * What suspending or resuming would do to each tenant; nothing is changed. For the migrations of a resumption:
 * `rehearseTenants` with `include`.
 * @throws TenantctlError as suspendTenants
 */
export async function planStatusChange(
  database: Database,
  verb: StatusVerb,
  organizationIds: readonly string[],
): Promise<ReturnType<typeof triageByStatus>> {
  checkCall(database, { organizationIds, verb }, 'organizationIds', 'verb');
  assertHolds(await assertRegistry(database), database.names, TRANSITIONS[verb].to);
  return triageByStatus(verb, await findTenants(database, organizationIds));
}
