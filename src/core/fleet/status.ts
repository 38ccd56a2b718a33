import type { ErrorReport, InvalidIndex } from '../../errors.ts';
import { readInvalidIndexes } from '../target/invalid-indexes.ts';
import { countIn, readGroups, readMembers, type StampedTenant, type TenantGroup } from './fleet-facts.ts';
import { EMPTY_HISTORY, readHistories, type History, type HistoryEntry } from '../target/history.ts';
import { planForward } from '../plan/plan.ts';
import { readMigrationFolder, type MigrationFolder } from '../files/source.ts';
import { silent, type Observer } from '../report/event.ts';
import { assertRegistry, findTenants, tenantUnknown, type RegisteredTenant } from '../registry/registry.ts';
import { historyOf, knownHistories } from './select-fleet.ts';
import { putStampsRight } from './put-stamps-right.ts';
import {
  type Attention,
  type Interruption,
  interruptionOf,
  interruptionProblem,
  asState,
  pendingIn,
  attentionOf,
} from './attention.ts';
import { readTenantFolder } from '../plan/tenant-folder.ts';
import { readStateVersion } from '../state/version.ts';
import { readMemory, type Memory } from '../state/failures.ts';
import type { Intent } from '../state/intents.ts';
import { readMasterHistory } from '../target/master-history.ts';
import type { Database } from '../../db/database.ts';

export interface StatusOptions {
  readonly masterFolder?: string | undefined;
  readonly tenantFolder: string;
  /** List every tenant; without it, those that want attention. */
  readonly listAll?: boolean | undefined;
  /** Read every history table, whatever the stamps say, and put the stamps right. */
  readonly verify?: boolean | undefined;
  readonly observe?: Observer | undefined;
}

export interface TenantState {
  readonly tenant: RegisteredTenant;
  readonly applied: readonly string[];
  readonly pending: readonly string[];
  readonly history: History;
  readonly lastError?: ErrorReport | undefined;
  readonly interrupted?: Interruption | undefined;
  /** Indexes that CREATE INDEX CONCURRENTLY has left behind; looked for where something was interrupted or failed. */
  readonly invalidIndexes: readonly InvalidIndex[];
  /** Absent where all is well, or the tenant is SUSPENDED or ARCHIVED. */
  readonly attention?: Attention | undefined;
}

export interface FleetStatus {
  readonly master: {
    readonly applied: readonly string[];
    readonly pending: readonly string[];
    /** The history and the folder do not fit together, or a migration was interrupted. */
    readonly problem?: string | undefined;
    readonly interrupted?: Interruption | undefined;
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
  /** The tenants that want attention, by organization id; every tenant where all were asked for. */
  readonly states: readonly TenantState[];
}

/**
 * Master and fleet at a glance. Only reads, unless it is to put stamps right. Tenants that their stamps say to be up
 * to date are counted by the server, and not looked at one by one.
 * @throws TenantctlError REGISTRY_ABSENT, REGISTRY_INVALID, MIGRATIONS_FOLDER_MISSING
 */
export async function fleetStatus(database: Database, options: StatusOptions): Promise<FleetStatus> {
  const { folder } = await readTenantFolder({ folder: options.tenantFolder, allowEmptyFolder: true });
  const masterFolder =
    options.masterFolder === undefined ? undefined : await readMigrationFolder(options.masterFolder);
  await assertRegistry(database);
  const stateVersion = await readStateVersion(database);
  const scope = { stateVersion, withTimes: options.listAll };
  const groups = await readGroups(database, scope);
  const known = await knownHistories(database, scope);
  const memory = await remember(database, stateVersion);

  const wantsLook = (group: TenantGroup): boolean => {
    if (options.listAll === true || (options.verify === true && group.hasSchema)) return true;
    const history = historyOf(group, known);
    if (group.isNoted || (history === undefined && group.status === 'ACTIVE')) return true;
    return attentionOf(asState(group, folder, history ?? EMPTY_HISTORY)) !== undefined;
  };
  const isCounted = (group: TenantGroup) => !wantsLook(group);
  const states: TenantState[] = [];
  for await (const page of readMembers(database, scope, groups, isCounted)) {
    states.push(...(await toStates(database, page, folder, memory, known, options)));
  }
  const active = states.filter((state) => state.tenant.status === 'ACTIVE');
  const byStatus: Record<string, number> = {};
  for (const { status, count } of groups) byStatus[status] = (byStatus[status] ?? 0) + count;
  return {
    master: await masterStatus(database, masterFolder, memory.intents.get('public')),
    tenants: {
      total: countIn(groups),
      byStatus,
      upToDate:
        active.filter(isUpToDate).length +
        countIn(groups.filter((group) => group.status === 'ACTIVE' && isCounted(group))),
      behind: active.filter((state) => state.pending.length > 0).length,
      failed: states.filter((state) => state.tenant.status === 'FAILED' || state.lastError !== undefined)
        .length,
    },
    states: options.listAll === true ? states : states.filter(({ attention }) => attention !== undefined),
  };
}

/** What is remembered about tenants, and what their schemas hold of unfinished indexes. */
interface Remembered extends Memory {
  /** Of the tenants that something is remembered about. */
  readonly invalidIndexes: readonly InvalidIndex[];
}

async function remember(
  database: Database,
  stateVersion: number,
  more: readonly string[] = [],
): Promise<Remembered> {
  const memory = await readMemory(database, stateVersion);
  const schemas = new Set([...memory.failures.keys(), ...memory.intents.keys(), ...more]);
  // The shared schema is not a tenant's.
  schemas.delete('public');
  return { ...memory, invalidIndexes: await readInvalidIndexes(database, [...schemas]) };
}

async function toStates(
  database: Database,
  tenants: readonly StampedTenant[],
  folder: MigrationFolder,
  memory: Remembered,
  known: ReadonlyMap<string, readonly HistoryEntry[]>,
  options: StatusOptions,
): Promise<TenantState[]> {
  const isRead = (tenant: StampedTenant) =>
    tenant.hasSchema && (options.verify === true || historyOf(tenant, known) === undefined);
  const read = tenants.filter(isRead);
  const histories = await readHistories(
    database,
    read.map((tenant) => tenant.tables),
  );
  if (options.verify === true) await putStampsRight(database, read, histories, options.observe ?? silent);
  return tenants.map((tenant) => {
    const history = isRead(tenant) ? histories.get(tenant.schema) : historyOf(tenant, known);
    return stateOf(tenant, folder, history ?? EMPTY_HISTORY, memory);
  });
}

async function masterStatus(
  database: Database,
  folder: MigrationFolder | undefined,
  intent: Intent | undefined,
): Promise<FleetStatus['master']> {
  const history = await readMasterHistory(database);
  const applied = history.entries.map((entry) => entry.name);
  const interrupted = interruptionOf({ schema: 'public' }, intent);
  const problem = interrupted && interruptionProblem(interrupted, []);
  if (folder === undefined) return { applied, pending: [], problem, interrupted };
  const plan = planForward(folder, history);
  return {
    applied,
    pending: pendingIn(folder, history),
    problem: problem ?? plan.problem?.message,
    interrupted,
  };
}

/** What one tenant's history says beside the folder, the registry and what is remembered. Pure. */
export function stateOf(
  tenant: RegisteredTenant,
  folder: MigrationFolder,
  history: History,
  memory: Remembered,
): TenantState {
  const seen = {
    ...asState(tenant, folder, history),
    lastError: memory.failures.get(tenant.schema)?.error,
    interrupted: interruptionOf(tenant, memory.intents.get(tenant.schema)),
    invalidIndexes: memory.invalidIndexes.filter(({ schema }) => schema === tenant.schema),
  };
  const { pending, lastError, interrupted, invalidIndexes } = seen;
  const applied = history.entries.map((entry) => entry.name);
  const attention = attentionOf(seen);
  return { tenant, applied, pending, history, lastError, interrupted, invalidIndexes, attention };
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
  const [named] = await findTenants(database, [name]);
  if (named === undefined) throw new Error('findTenants found nobody and did not say so');
  const stateVersion = await readStateVersion(database);
  const scope = { stateVersion, only: [named], withTimes: true };
  const memory = await remember(database, stateVersion, [named.schema]);
  for await (const [tenant] of readMembers(database, scope, await readGroups(database, scope))) {
    if (tenant === undefined) continue;
    const tables = tenant.hasSchema ? [tenant.tables] : [];
    const histories = await readHistories(database, tables);
    return stateOf(tenant, folder, histories.get(tenant.schema) ?? EMPTY_HISTORY, memory);
  }
  throw tenantUnknown([name]);
}
