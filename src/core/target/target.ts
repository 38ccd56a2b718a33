import { MASTER_HISTORY, TENANT_HISTORY } from './history.ts';

/** A schema that migrations are run in, with the history that belongs to it. */
export interface Target {
  readonly scope: 'master' | 'tenants';
  readonly schema: string;
  readonly historyTable: typeof MASTER_HISTORY | typeof TENANT_HISTORY;
  /** Where unqualified names are looked up and new tables arise: the schema, then public. */
  readonly searchPath: readonly string[];
  /** The name of the lock that keeps the schema to one run at a time. */
  readonly lock: string;
  /** Absent for the master schema. */
  readonly clerkOrgId?: string;
  /** The role that its migrations run as; the one that is logged in where absent. */
  readonly role?: string;
}

export const MASTER_TARGET: Target = {
  scope: 'master',
  schema: 'public',
  historyTable: MASTER_HISTORY,
  searchPath: ['public'],
  lock: 'master',
};

/** @param options with a tenantRole, the tenant's migrations run as the owner of its schema */
export function tenantTarget(
  tenant: { readonly clerkOrgId: string; readonly schema: string; readonly owner?: string | null },
  { tenantRole }: { readonly tenantRole?: string | undefined } = {},
): Target {
  const { owner = null } = tenant;
  if (tenantRole !== undefined && owner === null) throw new Error(`${tenant.schema} has no owner`);
  return {
    scope: 'tenants',
    schema: tenant.schema,
    historyTable: TENANT_HISTORY,
    searchPath: [tenant.schema, 'public'],
    lock: `tenant:${tenant.schema}`,
    clerkOrgId: tenant.clerkOrgId,
    ...(tenantRole !== undefined && owner !== null && { role: owner }),
  };
}
