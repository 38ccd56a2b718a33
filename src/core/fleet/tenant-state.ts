import type { Database } from '../../db/database.ts';
import type { ErrorReport, InvalidIndex } from '../../errors.ts';
import { scriptsOf, withScriptsOf } from '../files/repeatable.ts';
import { readMigrationFolder, type MigrationFolder } from '../files/source.ts';
import { checkCall } from '../options/check-call.ts';
import { checkOptions } from '../options/check-options.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { findTenants, tenantUnknown, type RegisteredTenant } from '../registry/registry.ts';
import type { TenantClass } from '../report/class-counts.ts';
import { readTombstones, tenantDropped } from '../state/tombstones.ts';
import type { Memory } from '../state/memory.ts';
import type { FormerNames } from '../state/tenant-ids.ts';
import type { VerbIntent } from '../state/unfinished-verb.ts';
import { readStateVersion } from '../state/version.ts';
import type { History } from '../target/history.ts';
import { readInvalidIndexes } from '../target/invalid-indexes.ts';
import { readNewerHistories, readPlanner } from './ahead.ts';
import { attentionOf, interruptionOf, pendingIn, type Attention, type Interruption } from './attention.ts';
import { classOf } from './class-of.ts';
import { readGroups, readMembers, readScope, type KnownHistories, type Scope } from './fleet-facts.ts';
import { toMembers, type Member } from './member.ts';
import type { Decide } from './plan-scripts.ts';

/** The folders that tenants are compared with. */
export interface StateFolders {
  readonly tenantFolder: string;
  /** The folder of the repeatable scripts; none if absent. */
  readonly repeatableFolder?: string | undefined;
}

export interface TenantState {
  readonly tenant: RegisteredTenant;
  readonly class: TenantClass;
  readonly applied: readonly string[];
  readonly pending: readonly string[];
  /** Newer than the folder, and applied to other ACTIVE tenants. */
  readonly lacks: readonly string[];
  /** It lacks a repeatable script, or has it in another form. */
  readonly hasOutdatedScripts: boolean;
  readonly history: History;
  readonly lastError?: ErrorReport | undefined;
  readonly interrupted?: Interruption | undefined;
  /** A verb that has begun and not ended. */
  readonly unfinished?: VerbIntent | undefined;
  /** Its earlier names, if a person must decide which tenant it is. */
  readonly former?: FormerNames | undefined;
  /** Left by a failed CREATE INDEX CONCURRENTLY; read only after a failure or an interruption. */
  readonly invalidIndexes: readonly InvalidIndex[];
  /** Absent if nothing needs to be done. */
  readonly attention?: Attention | undefined;
}

/** What decides, besides its history, how a tenant stands. */
export interface StateContext {
  readonly folder: MigrationFolder;
  readonly decide: Decide;
  readonly memory: Memory;
  /** Of the tenants that failed, were interrupted, or were named. */
  readonly invalidIndexes: readonly InvalidIndex[];
}

export async function readStateContext(
  database: Database,
  { memory, only = [] }: Scope,
  known: KnownHistories,
  folder: MigrationFolder,
): Promise<StateContext> {
  const named = only.map(({ schema }) => schema);
  const schemas = new Set([...memory.failures.keys(), ...memory.intents.keys(), ...named]);
  schemas.delete('public');
  return {
    folder,
    memory,
    invalidIndexes: await readInvalidIndexes(database, [...schemas]),
    decide: await readPlanner(database, known, folder),
  };
}

/** Pure. */
export function stateOf({ tenant, history }: Member, context: StateContext): TenantState {
  const { folder, memory } = context;
  const recorded = {
    lastError: memory.failures.get(tenant.schema)?.error,
    interrupted: interruptionOf(tenant, memory.intents.get(tenant.schema)),
    unfinished: memory.verbs.get(tenant.schema),
    former: memory.ambiguous.get(tenant.schema),
    invalidIndexes: context.invalidIndexes.filter(({ schema }) => schema === tenant.schema),
  };
  const facts = {
    ...tenant,
    hasFailed: recorded.lastError !== undefined,
    isInterrupted: recorded.interrupted !== undefined,
    isUnfinished: recorded.unfinished !== undefined,
    plan: context.decide(history, tenant),
  };
  const seen = {
    ...recorded,
    lacks: facts.plan.lacks ?? [],
    class: classOf(facts),
    pending: tenant.hasSchema ? pendingIn(folder, history) : [],
  };
  const applied = history.entries.map((entry) => entry.name);
  const { hasOutdatedScripts } = tenant;
  const attention = attentionOf({ ...facts, ...seen, history });
  return { tenant, applied, history, hasOutdatedScripts, ...seen, attention };
}

/** @param name organization id or schema @throws TenantctlError TENANT_UNKNOWN, and what fleetStatus throws */
export async function tenantState(
  database: Database,
  name: string,
  options: StateFolders,
): Promise<TenantState> {
  checkOptions({ name }, 'name');
  checkCall(database, options, 'tenantFolder');
  const migrations = await readMigrationFolder(options.tenantFolder);
  const folder = await withScriptsOf(migrations, options.repeatableFolder);
  await assertRegistry(database);
  const found = await findTenants(database, [name]).catch(async (error: unknown) => {
    const [tombstone] = await readTombstones(database, await readStateVersion(database), [name]);
    throw tombstone === undefined ? error : tenantDropped(tombstone);
  });
  const [state] = await readStates(database, found, folder);
  if (state === undefined) throw tenantUnknown([name]);
  return state;
}

/** The states of some tenants, from their history tables. */
export async function readStates(
  database: Database,
  only: Scope['only'],
  folder: MigrationFolder,
): Promise<TenantState[]> {
  const stateVersion = await readStateVersion(database);
  const [scope, newer] = await database.together((one) => [
    readScope(one, { only, withTimes: true, scripts: scriptsOf(folder) }, stateVersion),
    readNewerHistories(one, { stateVersion }, folder),
  ]);
  const context = await readStateContext(database, scope, newer, folder);
  const states: TenantState[] = [];
  // Without the stamps, which are joined for the whole fleet.
  const few = { ...scope, stateVersion: 0 };
  for await (const page of readMembers(database, few, await readGroups(database, few))) {
    const members = await toMembers(database, page, new Map());
    states.push(...members.map((member) => stateOf(member, context)));
  }
  return states;
}
