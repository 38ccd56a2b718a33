import { toTenantctlError, type TenantctlError } from '../../errors.ts';
import { isStopped, type RunContext } from '../run/run-context.ts';
import type { Lanes } from '../run/lanes.ts';
import type { RegisteredTenant } from '../registry/registry.ts';
import { backoffMs, mayPass, pause } from '../run/retry.ts';
import { checkTenant, type TenantCheck } from './tenant-check.ts';

/** What a check found out about tenants, by schema; those that nobody came to are in neither. */
export interface Checked {
  readonly passed: ReadonlySet<string>;
  readonly refused: ReadonlyMap<string, TenantctlError>;
}

/**
 * Asks tenants side by side, as many as there are lanes. A check that fails for a reason that may pass is asked again
 * after the others, as often as the context's retries say. Each refusal is told to the failure limit; when the run is stopped,
 * no other tenant is asked.
 */
export async function runChecks(
  context: RunContext,
  tenants: readonly RegisteredTenant[],
  check: TenantCheck,
  {
    lanes,
    onRefused,
  }: {
    readonly lanes: Lanes;
    readonly onRefused: (tenant: RegisteredTenant, error: TenantctlError) => void;
  },
): Promise<Checked> {
  const passed = new Set<string>();
  const refused = new Map<string, TenantctlError>();
  let todo = tenants;
  for (let tries = 0; todo.length > 0; tries += 1) {
    if (tries > 0) await pause(backoffMs(tries, Math.random), context.signal);
    const again: RegisteredTenant[] = [];
    const ask = async (tenant: RegisteredTenant) => {
      if (isStopped(context)) return;
      const error = await checkTenant(context, tenant, check);
      // A second signal has cancelled it: that says nothing about the tenant.
      if (error !== undefined && context.database.isCancelled) return;
      if (error === undefined) passed.add(tenant.schema);
      else if (tries < context.retries && mayPass(toTenantctlError(error.cause ?? error))) again.push(tenant);
      else {
        refused.set(tenant.schema, error);
        context.failureLimit?.failed();
        onRefused(tenant, error);
      }
    };
    await Promise.all(todo.map((tenant) => lanes.run(() => ask(tenant))));
    todo = again;
  }
  return { passed, refused };
}
