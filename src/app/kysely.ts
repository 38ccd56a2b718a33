/** The entry `tenantctl/kysely`: the tenants of an application that uses Kysely on pg. */
import type { ControlledTransaction, Kysely } from 'kysely';
import { TenantctlError } from '../errors.ts';
import type { Calls, RunOptions, TenantContext } from './calls.ts';
import { openKyselyCalls, type KyselyTenantsOptions } from './kysely-calls.ts';
import { oncePerDb } from './once-per-db.ts';

export type { KyselyTenantsOptions } from './kysely-calls.ts';
export type { Calls, OpenTenantsOptions, RunOptions, TenantContext } from './calls.ts';
export type { CallOptions, Isolation } from './call-sql.ts';
export { TenantctlError } from '../errors.ts';
export type { ErrorCode } from '../error-code.ts';

const callsOf = oncePerDb((db: Kysely<unknown>, options: KyselyTenantsOptions | undefined) => {
  if (options !== undefined) return openKyselyCalls(db, options);
  throw new TenantctlError('USAGE', 'The pool of this Kysely is not known: Kysely tells it to nobody.', {
    hint: 'Call tenantsOf(db, { pool }) once, with the pool that its PostgresDialect has.',
  });
});

/**
 * The tenants of a Kysely. The first call for a db names its pool.
 * @throws TenantctlError USAGE without the pool, and if the tenants of this Kysely are open with other options
 */
export function tenantsOf<Database>(
  db: Kysely<Database>,
  options?: KyselyTenantsOptions,
): Calls<ControlledTransaction<Database>> {
  return callsOf(db as Kysely<unknown>, options) as unknown as Calls<ControlledTransaction<Database>>;
}

/**
 * Does work in a transaction of a tenant, on a connection of the pool that `tenantsOf(db, { pool })` has named:
 * unqualified names are those of the tenant's schema, then of `public`. Within the work of the same organization it
 * joins that transaction.
 * @param org an organization, or what `tenantsOf(db).current()` said
 * @throws TenantctlError TENANT_UNKNOWN, TENANT_NOT_ACTIVE, SCHEMA_MISSING, TENANT_BEHIND, RIGHTS_MISSING,
 *   SESSION_STATE, OTHER_TENANT; whatever the work throws, after the ROLLBACK
 */
export async function withTenant<Database, Result>(
  db: Kysely<Database>,
  org: string | TenantContext,
  work: (trx: ControlledTransaction<Database>) => Promise<Result>,
  options?: RunOptions,
): Promise<Result> {
  return tenantsOf(db).run(org, work, options);
}
