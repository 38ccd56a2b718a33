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
}

export const MASTER_TARGET: Target = {
  scope: 'master',
  schema: 'public',
  historyTable: MASTER_HISTORY,
  searchPath: ['public'],
  lock: 'master',
};

export function tenantTarget(tenant: { readonly clerkOrgId: string; readonly schema: string }): Target {
  return {
    scope: 'tenants',
    schema: tenant.schema,
    historyTable: TENANT_HISTORY,
    searchPath: [tenant.schema, 'public'],
    lock: `tenant:${tenant.schema}`,
    clerkOrgId: tenant.clerkOrgId,
  };
}
