/** The entry `tenantctl/prisma`: the tenants of an application that uses Prisma with its adapter for pg. */
import { TenantctlError } from '../errors.ts';
import type { Calls, RunOptions, TenantContext } from './calls.ts';
import { oncePerDb } from './once-per-db.ts';
import { openPrismaCalls, type AnyPrisma, type PrismaTenantsOptions } from './prisma-calls.ts';

export { tenantAdapter, TENANT_SCHEMA } from './prisma-adapter.ts';
export type { AnyPrisma, PrismaTenantsOptions } from './prisma-calls.ts';
export type { Calls, OpenTenantsOptions, RunOptions, TenantContext } from './calls.ts';
export type { CallOptions, Isolation } from './call-sql.ts';
export { TenantctlError } from '../errors.ts';
export type { ErrorCode } from '../error-code.ts';

const callsOf = oncePerDb<AnyPrisma<unknown>, PrismaTenantsOptions, Calls<unknown>>((db, options) => {
  if (options !== undefined) return openPrismaCalls(db, options);
  throw new TenantctlError('USAGE', 'The pool of this Prisma client is not known.', {
    hint: 'Call tenantsOf(db, { pool }) once, with the pool that tenantAdapter(pool) has.',
  });
});

/**
 * The tenants of a Prisma client whose adapter is `tenantAdapter(pool)`. The first call for a client names the pool.
 * @throws TenantctlError USAGE without the pool, and if the tenants of this client are open with other options
 */
export function tenantsOf<Tx>(db: AnyPrisma<Tx>, options?: PrismaTenantsOptions): Calls<Tx> {
  return callsOf(db, options) as Calls<Tx>;
}

/**
 * Does work in an interactive transaction of a tenant, on a connection of the pool that `tenantsOf(db, { pool })` has
 * named. Models are tables of the tenant's schema, or else of `public`. Within the work of the same organization it
 * joins that transaction. Prisma's time limits do not count: see `statementTimeoutMs` and `signal`.
 * @param org an organization, or what `tenantsOf(db).current()` said
 * @throws TenantctlError TENANT_UNKNOWN, TENANT_NOT_ACTIVE, SCHEMA_MISSING, TENANT_BEHIND, RIGHTS_MISSING,
 *   SESSION_STATE, OTHER_TENANT; USAGE if the client has another adapter; whatever the work throws, after the ROLLBACK
 */
export async function withTenant<Tx, Result>(
  db: AnyPrisma<Tx>,
  org: string | TenantContext,
  work: (tx: Tx) => Promise<Result>,
  options?: RunOptions,
): Promise<Result> {
  return tenantsOf(db).run(org, work, options);
}
