import type { Database } from '../db/connection.ts';
import { EMPTY_HISTORY, readHistories, type History } from './migrations/history.ts';
import { assertRegistry, readTenants, selectTenants, type RegisteredTenant } from './registry.ts';

export interface Selection {
  /** Organization ids or schema names; the whole fleet where absent. */
  readonly tenants?: readonly string[] | undefined;
}

/** The tenants that a command works on, with the facts that its plan needs. */
export interface Fleet {
  /** ACTIVE tenants with a schema. */
  readonly members: readonly { readonly tenant: RegisteredTenant; readonly history: History }[];
  /** ACTIVE tenants whose schema does not exist. */
  readonly withoutSchema: readonly RegisteredTenant[];
  /** Tenants that were selected by name and are not ACTIVE. */
  readonly notActive: readonly RegisteredTenant[];
  /** All tenants of the registry that are not ACTIVE, counted by status. */
  readonly notActiveByStatus: Readonly<Record<string, number>>;
}

/**
 * Reads the registry, the catalog and every selected history, in a number of queries that grows with the hundreds of
 * tenants, not with the tenants.
 * @throws TenantctlError REGISTRY_ABSENT, REGISTRY_INVALID, TENANT_UNKNOWN
 */
export async function selectFleet(
  database: Database,
  selection: Selection,
  isWanted: (tenant: RegisteredTenant) => boolean = () => true,
): Promise<Fleet> {
  await assertRegistry(database);
  const all = await readTenants(database);
  const named = selection.tenants !== undefined && selection.tenants.length > 0;
  const selected = named ? selectTenants(all, selection.tenants) : all;
  const active = selected.filter((tenant) => tenant.status === 'ACTIVE' && isWanted(tenant));
  const present = active.filter((tenant) => tenant.hasSchema);
  const histories = await readHistories(
    database,
    present.map((tenant) => tenant.tables),
    // Whoever is due takes Knex's lock before anything is done to it.
    { knexLock: false },
  );
  const notActiveByStatus: Record<string, number> = {};
  for (const tenant of all) {
    if (tenant.status === 'ACTIVE') continue;
    notActiveByStatus[tenant.status] = (notActiveByStatus[tenant.status] ?? 0) + 1;
  }
  return {
    members: present.map((tenant) => ({ tenant, history: histories.get(tenant.schema) ?? EMPTY_HISTORY })),
    withoutSchema: active.filter((tenant) => !tenant.hasSchema),
    notActive: named ? selected.filter((tenant) => tenant.status !== 'ACTIVE') : [],
    notActiveByStatus,
  };
}
