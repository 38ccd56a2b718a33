import type { Database } from '../../db/database.ts';
import { namesOf, type HooksOption } from '../commands/in-run.ts';
import { inVerbRun, type FleetVerbOptions } from '../commands/in-verb-run.ts';
import { verbResults } from '../commands/verb-result.ts';
import { loadHooks } from '../files/load-hooks.ts';
import { prepareState, readState } from '../install/state-schema.ts';
import { checkCall } from '../options/check-call.ts';
import { checkOptions } from '../options/check-options.ts';
import { findTenants } from '../registry/registry.ts';
import { assertHolds, assertRegistry } from '../registry/registry-shape.ts';
import { TRANSITIONS } from '../registry/transitions.ts';
import { createLanes } from '../run/lanes.ts';
import { onlyResult } from './common/only-result.ts';
import { serveStatusChange } from './status/serve-status-change.ts';
import {
  endingOf,
  type StatusChangeResult,
  type StatusChanges,
  type StatusVerb,
} from './status/status-change-result.ts';
import { register } from './provision/triage.ts';
import { triageByStatus } from './status/triage-by-status.ts';

export interface SuspendOptions extends FleetVerbOptions, HooksOption {
  /**
   * Also suspends tenants that are PROVISIONING or FAILED, and registers organizations that the registry lacks as
   * SUSPENDED: whatever order events arrive in, none of them is provisioned later. Give organization ids, then, not
   * schema names.
   */
  readonly unfinished?: boolean | undefined;
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
  const { unfinished = false, ...options } = checkCall(database, given);
  const call = { command: 'tenant suspend', options, asked: namesOf(organizationIds), endingOf } as const;
  return inVerbRun<StatusChanges>(database, call, async (verbRun) => {
    const { run, observe, elapsedMs } = verbRun;
    const hooks = options.hooks === undefined ? undefined : await loadHooks(options.hooks);
    const context = { ...verbRun.context, hooks };
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
      const lanes = await createLanes(database, options.concurrency, observe, tasks.length);
      const work = { change, registry, lanes, observe } as const;
      results.push(...(await serveStatusChange(context, tasks, work)));
    }
    return verbResults(results, elapsedMs());
  });
}

/** suspendTenants for one organization. @throws TenantctlError if its result is a failure */
export async function suspendTenant(
  database: Database,
  organizationId: string,
  options: SuspendOptions = {},
): Promise<StatusChangeResult> {
  checkOptions({ organizationId }, 'organizationId');
  return onlyResult(await suspendTenants(database, [organizationId], options));
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
