import type { Database } from '../../db/database.ts';
import type { TenantctlError } from '../../errors.ts';
import type { IncludedStatus, TenantStatus } from '../../names.ts';
import { schemaMissing } from '../fleet/plan-fleet.ts';
import { tenantNotActive } from '../registry/not-active.ts';
import { refusedSchema } from '../registry/registration-errors.ts';
import { readTenants, selectTenants, type RegisteredTenant } from '../registry/registry.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { EMPTY_HISTORY, readHistories, readMasterHistory, type History } from '../target/history.ts';
import { masterTarget, tenantTarget, type Target } from '../target/target.ts';
import { tenantUnfinished } from '../state/unfinished-verb.ts';

/** The statuses of tenants whose histories can be marked. */
export const MARKABLE: readonly TenantStatus[] = ['ACTIVE', 'SUSPENDED'];

export interface MarkSelection {
  /** The master migrations, in the history of `public`. */
  readonly master?: boolean | undefined;
  /** Only these tenants: organization ids or schema names. All ACTIVE ones if absent. */
  readonly tenants?: readonly string[] | undefined;
  /** More statuses, besides ACTIVE. */
  readonly include?: readonly IncludedStatus[] | undefined;
  readonly tenantRole?: string | undefined;
}

export interface MarkTarget {
  readonly tenant: { readonly clerkOrgId?: string | undefined; readonly schema: string };
  readonly target: Target;
  readonly history: History;
  /** Why its history cannot be marked. */
  readonly error?: TenantctlError | undefined;
}

/** The histories that a selection means, in few queries. @throws TenantctlError TENANT_UNKNOWN, REGISTRY_ABSENT */
export async function readMarkTargets(database: Database, selection: MarkSelection): Promise<MarkTarget[]> {
  const { names } = database;
  if (selection.master === true) {
    const target = masterTarget(names);
    return [{ tenant: { schema: target.schema }, target, history: await readMasterHistory(database) }];
  }
  await assertRegistry(database);
  const tenants = select(await readTenants(database), selection);
  const histories = await readHistories(database, names.tenantHistory, tenants, { knexLock: false });
  return tenants.map((tenant) => {
    const { clerkOrgId, schema } = tenant;
    return {
      tenant: { clerkOrgId, schema },
      target: tenantTarget(names, tenant, tenant.owner === null ? {} : selection),
      history: histories.get(schema) ?? EMPTY_HISTORY,
      error: whyNot(tenant),
    };
  });
}

function select(
  all: readonly RegisteredTenant[],
  { tenants, include = [] }: MarkSelection,
): RegisteredTenant[] {
  if (tenants !== undefined) return selectTenants(all, tenants);
  const statuses: readonly string[] = ['ACTIVE', ...include];
  return all.filter(({ status }) => statuses.includes(status));
}

function whyNot(tenant: RegisteredTenant): TenantctlError | undefined {
  const refused = refusedSchema(tenant);
  if (refused !== undefined) return refused;
  if (tenant.unfinished !== undefined) return tenantUnfinished(tenant.unfinished);
  if (!MARKABLE.some((status) => status === tenant.status)) return tenantNotActive(tenant, tenant.status);
  return tenant.hasSchema ? undefined : schemaMissing(tenant);
}
