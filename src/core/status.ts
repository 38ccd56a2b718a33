import type { Database } from '../db/connection.ts';
import type { ErrorReport } from '../errors.ts';
import { readTenantFolder } from './plan-fleet.ts';
import { readMasterHistory } from './master.ts';
import { EMPTY_HISTORY, readHistories, type History } from './migrations/history.ts';
import { planForward } from './migrations/plan.ts';
import { compareNames, readMigrationFolder, stemOf, type MigrationFolder } from './migrations/source.ts';
import { assertRegistry, readTenants, selectTenants, type RegisteredTenant } from './registry.ts';
import { readMemory, readStateVersion, type Intent, type Memory } from './state.ts';

export interface StatusOptions {
  readonly masterFolder?: string | undefined;
  readonly tenantFolder: string;
}

/** Why a tenant needs somebody's attention. */
export type AttentionCode =
  | 'BEHIND'
  | 'FAILED'
  | 'PROVISIONING'
  | 'SCHEMA_MISSING'
  | 'HISTORY_DISAGREES'
  | 'INTERRUPTED'
  | 'KNEX_LOCKED';

export interface TenantState {
  readonly tenant: RegisteredTenant;
  readonly applied: readonly string[];
  readonly pending: readonly string[];
  readonly history: History;
  readonly lastError?: ErrorReport | undefined;
  /** Absent where all is well, or the tenant is SUSPENDED or ARCHIVED. */
  readonly attention?: { readonly code: AttentionCode; readonly problem: string } | undefined;
}

export interface FleetStatus {
  readonly master: {
    readonly applied: readonly string[];
    readonly pending: readonly string[];
    /** The history and the folder do not fit together. */
    readonly problem?: string | undefined;
  };
  readonly tenants: {
    readonly total: number;
    readonly byStatus: Readonly<Record<string, number>>;
    /** Of the ACTIVE ones. */
    readonly upToDate: number;
    readonly behind: number;
    /** Tenants whose provisioning or last run failed. */
    readonly failed: number;
  };
  /** Every tenant, by organization id. */
  readonly states: readonly TenantState[];
}

/**
 * Master and fleet at a glance. Only reads.
 * @throws TenantctlError REGISTRY_ABSENT, REGISTRY_INVALID, MIGRATIONS_FOLDER_MISSING
 */
export async function fleetStatus(database: Database, options: StatusOptions): Promise<FleetStatus> {
  const { folder } = await readTenantFolder({ folder: options.tenantFolder, allowEmptyFolder: true });
  const masterFolder =
    options.masterFolder === undefined ? undefined : await readMigrationFolder(options.masterFolder);
  await assertRegistry(database);
  const tenants = await readTenants(database);
  const present = tenants.filter((tenant) => tenant.hasSchema);
  const histories = await readHistories(
    database,
    present.map((tenant) => tenant.tables),
  );
  const memory = await readMemory(database, await readStateVersion(database));
  const states = tenants.map((tenant) =>
    stateOf(tenant, folder, histories.get(tenant.schema) ?? EMPTY_HISTORY, memory),
  );
  const active = states.filter((state) => state.tenant.status === 'ACTIVE');
  const byStatus: Record<string, number> = {};
  for (const { status } of tenants) byStatus[status] = (byStatus[status] ?? 0) + 1;
  return {
    master: await masterStatus(database, masterFolder),
    tenants: {
      total: tenants.length,
      byStatus,
      upToDate: active.filter(isUpToDate).length,
      behind: active.filter((state) => state.pending.length > 0).length,
      failed: states.filter((state) => state.tenant.status === 'FAILED' || state.lastError !== undefined)
        .length,
    },
    states,
  };
}

async function masterStatus(
  database: Database,
  folder: MigrationFolder | undefined,
): Promise<FleetStatus['master']> {
  const history = await readMasterHistory(database);
  const applied = history.entries.map((entry) => entry.name);
  if (folder === undefined) return { applied, pending: [] };
  const plan = planForward(folder, history);
  return { applied, pending: pendingIn(folder, history), problem: plan.problem?.message };
}

/** What one tenant's history says beside the folder, the registry and what is remembered. Pure. */
export function stateOf(
  tenant: RegisteredTenant,
  folder: MigrationFolder,
  history: History,
  memory: Memory,
): TenantState {
  const pending = tenant.hasSchema ? pendingIn(folder, history) : [];
  const failure = memory.failures.get(tenant.schema);
  const intent = memory.intents.get(tenant.schema);
  const base = {
    tenant,
    applied: history.entries.map((entry) => entry.name),
    pending,
    history,
    lastError: failure?.error,
  };
  return { ...base, attention: attentionOf(base, folder, intent) };
}

function pendingIn(folder: MigrationFolder, history: History): string[] {
  const applied = new Set(history.entries.map((entry) => stemOf(entry.name)));
  return folder.files.filter((file) => !applied.has(file.stem)).map((file) => file.name);
}

function attentionOf(
  state: Omit<TenantState, 'attention'>,
  folder: MigrationFolder,
  intent: Intent | undefined,
): TenantState['attention'] {
  const { tenant, pending, lastError, history } = state;
  switch (tenant.status) {
    case 'FAILED':
      return {
        code: 'FAILED',
        problem: `provisioning failed${lastError === undefined ? '' : `: ${lastError.message}`}`,
      };
    case 'PROVISIONING':
      return {
        code: 'PROVISIONING',
        problem: 'provisioning has begun and not ended; if nothing is at work on it, provision it again',
      };
    case 'ACTIVE':
      break;
    default:
      return undefined;
  }
  if (!tenant.hasSchema) return { code: 'SCHEMA_MISSING', problem: 'its schema is missing' };
  if (intent !== undefined) {
    return {
      code: 'INTERRUPTED',
      problem: `${intent.migration} began outside a transaction at ${intent.startedAt.toISOString()}, and how it ended is not known`,
    };
  }
  const { problem } = planForward(folder, history);
  if (problem !== undefined) return { code: 'HISTORY_DISAGREES', problem: problem.message };
  if (history.lockedByKnex) {
    return {
      code: 'KNEX_LOCKED',
      problem: "Knex's own lock is set: a Knex is migrating it, or died while it did",
    };
  }
  if (lastError !== undefined) {
    const { migration, message } = lastError;
    const where = migration === undefined || message.startsWith(migration) ? '' : ` at ${migration}`;
    return { code: 'FAILED', problem: `the last run failed${where}: ${lastError.message}` };
  }
  if (pending.length > 0) {
    const [first] = pending.toSorted(compareNames);
    return {
      code: 'BEHIND',
      problem: `${pending.length} ${pending.length === 1 ? 'migration' : 'migrations'} behind, from ${first}`,
    };
  }
  return undefined;
}

function isUpToDate(state: TenantState): boolean {
  return (
    state.tenant.hasSchema &&
    state.pending.length === 0 &&
    state.attention?.code !== 'HISTORY_DISAGREES' &&
    state.attention?.code !== 'INTERRUPTED'
  );
}

/**
 * One tenant as `fleetStatus` sees it, by organization id or schema name.
 * @throws TenantctlError TENANT_UNKNOWN, and as fleetStatus does
 */
export async function tenantState(
  database: Database,
  name: string,
  options: Pick<StatusOptions, 'tenantFolder'>,
): Promise<TenantState> {
  const { folder } = await readTenantFolder({ folder: options.tenantFolder, allowEmptyFolder: true });
  await assertRegistry(database);
  const [tenant] = selectTenants(await readTenants(database), [name]);
  if (tenant === undefined) throw new Error('selectTenants found nobody and did not say so');
  const histories = tenant.hasSchema
    ? await readHistories(database, [tenant.tables])
    : new Map<string, History>();
  const memory = await readMemory(database, await readStateVersion(database));
  return stateOf(tenant, folder, histories.get(tenant.schema) ?? EMPTY_HISTORY, memory);
}
