import pLimit from 'p-limit';
import { toTenantctlError } from '../errors.ts';
import type { Engine } from './engine.ts';
import { createLockWait } from './lock-wait.ts';
import type { Advance } from './migrations/assignment.ts';
import type { Plan } from './migrations/plan.ts';
import type { Observer } from './observer.ts';
import type { RegisteredTenant } from './registry.ts';
import { untouched, type TenantResult } from './results.ts';
import { recordFailure } from './state.ts';

/** A tenant with what is to be done to it. */
export interface Due {
  readonly tenant: RegisteredTenant;
  readonly plan: Plan;
}

/** What a run does to one tenant. `isPilot`: the first of its plan, which runs before the others. */
export type Serve = (due: Due, isPilot: boolean) => Promise<Served>;

export interface Served extends Advance {
  /** The tenant's transaction locked shared tables against others: the rest of the plan goes one at a time. */
  readonly locksShared: boolean;
}

export interface FleetOptions {
  readonly command: string;
  readonly outcome: 'migrated' | 'rolled-back';
  readonly concurrency: number;
  readonly observe: Observer;
}

/**
 * Serves the tenants that are due: the first of each distinct plan alone, the others of it then side by side, at most
 * `concurrency` at once. A tenant that another run is at work on is tried again after the others, until the engine's
 * lockWaitMs is over. One tenant's failure is that tenant's.
 */
export async function serveFleet(
  engine: Engine,
  dues: readonly Due[],
  serve: Serve,
  options: FleetOptions,
): Promise<TenantResult[]> {
  const results: TenantResult[] = [];
  const busy: Due[] = [];
  const finish = async (due: Due, started: number, served: Served) => {
    const result = toResult(due, served, Date.now() - started, options.outcome);
    // Somebody else at work is no failure of the tenant.
    if (result.outcome === 'failed' && result.error !== undefined && result.error.code !== 'LOCK_TIMEOUT') {
      await recordFailure(engine.database, due.tenant.schema, options.command, result.error).catch(
        (error: unknown) => {
          options.observe({
            type: 'warning',
            message: `The failure could not be recorded: ${String(error)}`,
          });
        },
      );
    }
    results.push(result);
    options.observe({ type: 'tenant', result, done: results.length, due: dues.length });
  };
  const attempt = async (due: Due, isPilot: boolean): Promise<boolean> => {
    if (engine.signal?.aborted) {
      results.push(untouched(due.tenant, 'skipped', { reason: 'the run was interrupted' }));
      return false;
    }
    const started = Date.now();
    const served = await serve(due, isPilot);
    if (served.outcome === 'busy') busy.push(due);
    else await finish(due, started, served);
    return served.locksShared;
  };

  const limit = pLimit(options.concurrency);
  const alone = pLimit(1);
  const byPlan = Map.groupBy(dues, ({ plan }) => planKey(plan));
  await Promise.all(
    [...byPlan.values()].map(async ([pilot, ...others]) => {
      if (pilot === undefined) return;
      const locksShared = await limit(() => attempt(pilot, true));
      const queue = locksShared && others.length > 0 ? alone : (work: () => Promise<boolean>) => work();
      await Promise.all(others.map((due) => queue(() => limit(() => attempt(due, false)))));
    }),
  );
  await serveBusy(engine, busy, serve, finish, results, options);
  return results;
}

/** Tenants that another run holds: asked again and again, until it is done with them or the wait is over. */
async function serveBusy(
  engine: Engine,
  busy: readonly Due[],
  serve: Serve,
  finish: (due: Due, started: number, served: Served) => Promise<void>,
  results: TenantResult[],
  options: FleetOptions,
): Promise<void> {
  if (busy.length === 0) return;
  options.observe({
    type: 'phase',
    message: `Waiting for another run that is at work on ${busy.length} of the tenants`,
  });
  const wait = createLockWait(engine);
  for (const due of busy) {
    const started = Date.now();
    for (;;) {
      const served = await serve(due, true);
      if (served.outcome !== 'busy') {
        await finish(due, started, served);
        break;
      }
      const reason = await wait(due.tenant.clerkOrgId).catch(toTenantctlError);
      if (reason?.code === 'INTERRUPTED') {
        results.push(untouched(due.tenant, 'skipped', { reason: 'the run was interrupted' }));
        break;
      }
      if (reason !== undefined) {
        await finish(due, started, { ...served, outcome: 'failed', error: reason });
        break;
      }
    }
  }
}

/** Tenants with the same key have the same to be done. */
export function planKey(plan: Plan): string {
  return plan.steps.map((step) => step.name).join('\n');
}

function toResult(
  due: Due,
  served: Served,
  durationMs: number,
  outcome: 'migrated' | 'rolled-back',
): TenantResult {
  const base = {
    clerkOrgId: due.tenant.clerkOrgId,
    schema: due.tenant.schema,
    names: served.done,
    batch: served.done.length === 0 ? 0 : served.batch,
    durationMs,
  };
  switch (served.outcome) {
    case 'failed':
      return { ...base, outcome: 'failed', error: served.error };
    case 'status':
      return {
        ...base,
        outcome: 'skipped',
        reason: `its status is ${served.status ?? 'gone from the registry'} now`,
      };
    default:
      return { ...base, outcome: served.done.length === 0 ? 'up-to-date' : outcome };
  }
}
