/** The entry `tenantctl/tenants`: the application's side. It loads pg, and neither Knex nor the engine. */
export { openTenants, type Tenants } from './open-tenants.ts';
export type { TenantContext } from './admission.ts';
export type { OpenTenantsOptions, RunOptions } from './calls.ts';
export type { CallOptions, Isolation } from './call-sql.ts';
export type { EachOptions, EachResult } from './each-tenant.ts';
export type { FoundTenant } from './find-tenant.ts';
export type { TenantClient } from './tenant-client.ts';
export { DEFAULT_NAMES, type Names } from '../names.ts';
export { TenantctlError } from '../errors.ts';
export type { ErrorCode } from '../error-code.ts';
