import { toTenantctlError, TenantctlError } from '../../errors.ts';
import type { Database } from '../../db/database.ts';
import { checkCall } from '../options/check-call.ts';
import { checkOptions } from '../options/check-options.ts';
import { DEFAULT_CONCURRENCY } from '../run/capacity.ts';
import type { ProvisionResult } from './provision/provision-result.ts';
import { provisionTenants, type ProvisionOptions } from './provision.ts';

export interface ProvisionerOptions extends Omit<ProvisionOptions, 'signal'> {
  /** Organizations that may wait; 1,000 if absent. More are refused. */
  readonly maxWaiting?: number | undefined;
}

export interface ProvisionCallOptions {
  /** Stops the waiting of this call. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds that this call waits; without limit if absent. */
  readonly timeoutMs?: number | undefined;
}

/** Provisions organizations one after the other, or some in parallel: for a webhook. */
export interface Provisioner {
  /**
   * `provisionTenant` in the queue's turn. An organization that is asked for again while it waits or is provisioned is
   * provisioned once, and all callers get the result.
   *
   * A call that times out or is aborted stops waiting; the provisioning goes on. Asking again later gives its result,
   * or `already-active`.
   * @throws TenantctlError PROVISIONING_PENDING after the timeout, PROVISIONER_FULL if too many are waiting, INTERRUPTED
   *   by the signal, DATABASE_CLOSED after `close`: retryable, all four; else what provisionTenant throws
   */
  provision(organizationId: string, options?: ProvisionCallOptions): Promise<ProvisionResult>;
  /** Refuses new calls, and resolves when all organizations that were asked for have been provisioned. */
  close(): Promise<void>;
}

type Order = PromiseWithResolvers<ProvisionResult>;

const MAX_WAITING = 1_000;

/** Organizations per run with the concurrency `auto`. */
const AT_ONCE = 16;

/**
 * Opens a queue of organizations to provision. As many as may run in parallel are one run of `tenant provision`, so that
 * what is asked of the database and the folder once per run is asked once for all of them.
 * @param database stays the caller's: close the provisioner first
 */
export function openProvisioner(database: Database, given: ProvisionerOptions): Provisioner {
  const options = checkCall(database, given, 'folder');
  const { concurrency = DEFAULT_CONCURRENCY, maxWaiting = MAX_WAITING } = options;
  const atOnce = concurrency === 'auto' ? AT_ONCE : concurrency;
  const orders = new Map<string, Order>();
  const waiting: string[] = [];
  let working: Promise<void> | undefined;
  let isClosed = false;

  const work = async () => {
    for (let ids = waiting.splice(0, atOnce); ids.length > 0; ids = waiting.splice(0, atOnce)) {
      await provisionAll(database, ids, options, (id, settle) => {
        const order = orders.get(id);
        orders.delete(id);
        if (order !== undefined) settle(order);
      });
    }
    working = undefined;
  };

  return {
    async provision(organizationId, call = {}) {
      checkOptions({ ...call, organizationId }, 'organizationId');
      if (isClosed) throw new TenantctlError('DATABASE_CLOSED', 'The provisioner is closed.');
      const known = orders.get(organizationId);
      if (known !== undefined) return waitFor(known.promise, organizationId, call);
      if (waiting.length >= maxWaiting) throw full(maxWaiting, organizationId);
      const order = Promise.withResolvers<ProvisionResult>();
      // Its callers may have stopped waiting.
      order.promise.catch(() => {});
      orders.set(organizationId, order);
      waiting.push(organizationId);
      working ??= work();
      return waitFor(order.promise, organizationId, call);
    },
    async close() {
      isClosed = true;
      await working;
    },
  };
}

/** Provisions some organizations in one run, and settles the order of each. */
async function provisionAll(
  database: Database,
  ids: readonly string[],
  options: ProvisionOptions,
  settle: (id: string, settle: (order: Order) => void) => void,
): Promise<void> {
  let failure: TenantctlError | undefined;
  const results = await provisionTenants(database, ids, options).catch((error: unknown) => {
    failure = toTenantctlError(error);
    return [];
  });
  const byId = new Map(results.map((result) => [result.clerkOrgId, result]));
  for (const id of ids) {
    const result = byId.get(id);
    settle(id, ({ resolve, reject }) => {
      if (result !== undefined && result.error === undefined) resolve(result);
      else reject(result?.error ?? failure ?? new TenantctlError('INTERRUPTED', 'It was not provisioned.'));
    });
  }
}

/** Waits for a result, as long as the caller does. */
async function waitFor(
  result: Promise<ProvisionResult>,
  tenant: string,
  { signal, timeoutMs }: ProvisionCallOptions,
): Promise<ProvisionResult> {
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const onAbort = () => {
    const message = 'The call was aborted. The provisioning goes on.';
    reject(new TenantctlError('INTERRUPTED', message, { tenant, cause: signal?.reason }));
  };
  const timer =
    timeoutMs === undefined ? undefined : setTimeout(() => reject(pending(tenant, timeoutMs)), timeoutMs);
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([result, stopped]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

function pending(tenant: string, timeoutMs: number): TenantctlError {
  return new TenantctlError(
    'PROVISIONING_PENDING',
    `The tenant "${tenant}" was not ready after ${timeoutMs / 1000} s. Its provisioning goes on.`,
    { tenant, hint: 'Ask again later.' },
  );
}

function full(maxWaiting: number, tenant: string): TenantctlError {
  return new TenantctlError(
    'PROVISIONER_FULL',
    `${maxWaiting} organizations are waiting to be provisioned.`,
    {
      tenant,
      hint: 'Ask again later, or raise maxWaiting.',
    },
  );
}
