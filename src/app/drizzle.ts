/** The entry `tenantctl/drizzle`: the tenants of an application that uses Drizzle on pg. It loads no Drizzle. */
import type { Calls, OpenTenantsOptions, RunOptions, TenantContext } from './calls.ts';
import { openDrizzleCalls, type AnyDrizzle } from './drizzle-calls.ts';
import { oncePerDb } from './once-per-db.ts';

export type { AnyDrizzle } from './drizzle-calls.ts';
export type { Calls, OpenTenantsOptions, RunOptions, TenantContext } from './calls.ts';
export type { CallOptions, Isolation } from './call-sql.ts';
export { TenantctlError } from '../errors.ts';
export type { ErrorCode } from '../error-code.ts';

const callsOf = oncePerDb<AnyDrizzle<unknown>, OpenTenantsOptions, Calls<unknown>>(openDrizzleCalls);

/**
 * The tenants of a Drizzle. Call it before the first `withTenant` if the defaults are not right.
 * @param db a Drizzle of drizzle-orm/node-postgres on a pool, not a transaction
 * @throws TenantctlError USAGE if the tenants of this Drizzle are open with other options
 */
export function tenantsOf<Tx>(db: AnyDrizzle<Tx>, options?: OpenTenantsOptions): Calls<Tx> {
  return callsOf(db, options) as Calls<Tx>;
}

/**
 * Does work in a transaction of a tenant, on a connection of Drizzle's pool: unqualified names are those of the
 * tenant's schema, then of `public`. Within the work of the same organization it joins that transaction.
 * @param org an organization, or what `tenantsOf(db).current()` said
 * @throws TenantctlError TENANT_UNKNOWN, TENANT_NOT_ACTIVE, SCHEMA_MISSING, TENANT_BEHIND, RIGHTS_MISSING,
 *   SESSION_STATE, OTHER_TENANT; whatever the work throws, after the ROLLBACK
 */
export async function withTenant<Tx, Result>(
  db: AnyDrizzle<Tx>,
  org: string | TenantContext,
  work: (tx: Tx) => Promise<Result>,
  options?: RunOptions,
): Promise<Result> {
  return tenantsOf(db).run(org, work, options);
}
