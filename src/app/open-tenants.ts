import type { Pool } from 'pg';
import { DEFAULT_NAMES } from '../names.ts';
import type { TenantContext } from './admission.ts';
import { openCalls, type OpenTenantsOptions, type RunOptions } from './calls.ts';
import { connectionsOf } from './connection-source.ts';
import { eachTenant, type EachOptions, type EachResult } from './each-tenant.ts';
import { findTenant, type FoundTenant } from './find-tenant.ts';
import type { TenantClient } from './tenant-client.ts';

/** The tenants of an application, on its own pool. */
export interface Tenants {
  /** The registry's row of an organization, whatever its status. @throws TenantctlError TENANT_UNKNOWN */
  find(org: string): Promise<FoundTenant>;
  /**
   * Does work in a transaction of a tenant: unqualified names are those of its schema, then of `public`. Within the
   * work of the same organization it joins that transaction.
   * @param org an organization, or what `current` said
   * @throws TenantctlError TENANT_UNKNOWN, TENANT_NOT_ACTIVE, SCHEMA_MISSING, TENANT_BEHIND, RIGHTS_MISSING,
   *   SESSION_STATE, OTHER_TENANT; whatever the work throws, after the ROLLBACK
   */
  run<Result>(
    org: string | TenantContext,
    work: (client: TenantClient) => Promise<Result>,
    options?: RunOptions,
  ): Promise<Result>;
  /** Does work for each ACTIVE tenant, and yields how it went, in the order in which they end. */
  each<Result>(
    work: (client: TenantClient, tenant: TenantContext) => Promise<Result>,
    options?: EachOptions,
  ): AsyncIterable<EachResult<Result>>;
  /** The tenant of the work that asks; undefined outside of `run`. */
  current(): TenantContext | undefined;
  /** Forgets what `cacheMs` remembers, of one organization or of all. */
  forget(org?: string): void;
}

/**
 * Opens the tenants of an application.
 * @param pool the application's own pool of pg; it stays the application's
 */
export function openTenants(pool: Pool, options: OpenTenantsOptions = {}): Tenants {
  const { names = DEFAULT_NAMES } = options;
  const calls = openCalls<TenantClient>(connectionsOf(pool), options, (client, work) => work(client));
  return {
    ...calls,
    find: (org) => findTenant(pool, names, org),
    each: (work, chosen) => eachTenant(pool, names, calls, work, chosen),
  };
}
