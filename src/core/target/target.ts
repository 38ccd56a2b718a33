import type { Names } from '../../names.ts';
import { lockOf, MASTER_SCHEMA } from './lock.ts';

/** A schema that migrations run in, with its history. */
export interface Target {
  readonly scope: 'master' | 'tenants';
  readonly schema: string;
  readonly historyTable: string;
  readonly searchPath: readonly string[];
  /** Restricts the schema to one run at a time. */
  readonly lock: string;
  readonly names: Names;
  /** Absent for the master schema. */
  readonly clerkOrgId?: string;
  /** The role that its migrations run as; the login role if absent. */
  readonly role?: string;
}

export function masterTarget(names: Names): Target {
  return {
    scope: 'master',
    schema: MASTER_SCHEMA,
    historyTable: names.masterHistory,
    searchPath: [MASTER_SCHEMA],
    lock: lockOf(MASTER_SCHEMA),
    names,
  };
}

/** @param options with a tenantRole, the tenant's migrations run as the owner of its schema */
export function tenantTarget(
  names: Names,
  tenant: { readonly clerkOrgId: string; readonly schema: string; readonly owner?: string | null },
  { tenantRole }: { readonly tenantRole?: string | undefined } = {},
): Target {
  const { owner = null } = tenant;
  if (tenantRole !== undefined && owner === null) throw new Error(`${tenant.schema} has no owner`);
  return {
    scope: 'tenants',
    schema: tenant.schema,
    historyTable: names.tenantHistory,
    searchPath: [tenant.schema, MASTER_SCHEMA],
    lock: lockOf(tenant.schema),
    names,
    clerkOrgId: tenant.clerkOrgId,
    ...(tenantRole !== undefined && owner !== null && { role: owner }),
  };
}
