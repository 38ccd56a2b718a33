/** The entry `tenantctl/knex`: the tenants of an application that uses Knex. It loads no Knex: the application's is used. */
import type { Calls, OpenTenantsOptions, RunOptions, TenantContext } from './calls.ts';
import { openKnexCalls, type AnyKnex } from './knex-calls.ts';
import { oncePerDb } from './once-per-db.ts';

export type { AnyKnex } from './knex-calls.ts';
export type { Calls, OpenTenantsOptions, RunOptions, TenantContext } from './calls.ts';
export type { CallOptions, Isolation } from './call-sql.ts';
export { TenantctlError } from '../errors.ts';
export type { ErrorCode } from '../error-code.ts';

const callsOf = oncePerDb<AnyKnex<unknown>, OpenTenantsOptions, Calls<unknown>>(openKnexCalls);

/**
 * The tenants of a Knex. Call it before the first `withTenant` if the defaults are not right.
 * @param db a Knex for pg, not a transaction
 * @throws TenantctlError USAGE if the tenants of this Knex are open with other options
 */
export function tenantsOf<Trx>(db: AnyKnex<Trx>, options?: OpenTenantsOptions): Calls<Trx> {
  return callsOf(db, options) as Calls<Trx>;
}

/**
 * Does work in a transaction of a tenant, on a connection of Knex's pool: unqualified names are those of the tenant's
 * schema, then of `public`. Within the work of the same organization it joins that transaction.
 * @param org an organization, or what `tenantsOf(db).current()` said
 * @throws TenantctlError TENANT_UNKNOWN, TENANT_NOT_ACTIVE, SCHEMA_MISSING, TENANT_BEHIND, RIGHTS_MISSING,
 *   SESSION_STATE, OTHER_TENANT; whatever the work throws, after the ROLLBACK
 */
export async function withTenant<Trx, Result>(
  db: AnyKnex<Trx>,
  org: string | TenantContext,
  work: (trx: Trx) => Promise<Result>,
  options?: RunOptions,
): Promise<Result> {
  return tenantsOf(db).run(org, work, options);
}
