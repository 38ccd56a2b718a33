import type { ErrorReport, InvalidIndex } from '../../errors.ts';
import { checkOptions } from '../options/check-options.ts';
import { checkCall } from '../options/check-call.ts';
import { readInvalidIndexes } from '../target/invalid-indexes.ts';
import {
  isRecorded,
  readFleetFacts,
  readGroups,
  readMembers,
  readScope,
  type KnownHistories,
  type Scope,
  type TenantGroup,
} from './fleet-facts.ts';
import { EMPTY_HISTORY, type History } from '../target/history.ts';
import { planForward, type Plan } from '../plan/plan.ts';
import { countClasses, countStatuses, type ClassCounts, type TenantClass } from '../report/class-counts.ts';
import { readMigrationFolder, type MigrationFolder } from '../files/source.ts';
import { silent, type Observer } from '../report/event.ts';
import { findTenants, tenantUnknown, type RegisteredTenant } from '../registry/registry.ts';
import { assertManaged, assertRegistry } from '../registry/registry-shape.ts';
import { historyOf, toMembers, type Member } from './member.ts';
import { needsHistory } from './read-classes.ts';
import { classOf } from './class-of.ts';
import { countVersions, type FleetVersion } from './versions.ts';
import { readNewerHistories, readPlanner } from './ahead.ts';
import { putStampsRight } from './put-stamps-right.ts';
import {
  type Attention,
  type Interruption,
  interruptionOf,
  interruptionProblem,
  pendingIn,
  attentionOf,
} from './attention.ts';
import type { Memory } from '../state/memory.ts';
import { readStateVersion } from '../state/version.ts';
import type { Intent } from '../state/intents.ts';
import type { FormerNames } from '../state/tenant-ids.ts';
import { readMasterHistory } from '../target/history.ts';
import type { Database } from '../../db/database.ts';

export interface StatusOptions {
  readonly masterFolder?: string | undefined;
  readonly tenantFolder: string;
  /** List every tenant, not only those that need attention. */
  readonly listAll?: boolean | undefined;
  /** Read every history table regardless of stamps, and correct the stamps. */
  readonly verify?: boolean | undefined;
  readonly observe?: Observer | undefined;
}

export interface TenantState {
  readonly tenant: RegisteredTenant;
  readonly class: TenantClass;
  readonly applied: readonly string[];
  readonly pending: readonly string[];
  /** Newer than the folder, and applied to other ACTIVE tenants. */
  readonly lacks: readonly string[];
  readonly history: History;
  readonly lastError?: ErrorReport | undefined;
  readonly interrupted?: Interruption | undefined;
  /** Its earlier names, if a person must decide which tenant it is. */
  readonly former?: FormerNames | undefined;
  /** Left by a failed CREATE INDEX CONCURRENTLY; read only after a failure or an interruption. */
  readonly invalidIndexes: readonly InvalidIndex[];
  /** Absent if nothing needs to be done. */
  readonly attention?: Attention | undefined;
}

export interface FleetStatus {
  readonly master: {
    readonly applied: readonly string[];
    readonly pending: readonly string[];
    /** The history does not match the folder, or a migration was interrupted. */
    readonly problem?: string | undefined;
    readonly interrupted?: Interruption | undefined;
  };
  /** All tenants of the registry by class and by status; each adds up to the total. */
  readonly tenants: ClassCounts & { readonly byStatus: Readonly<Record<string, number>> };
  /** The tenants with a schema that are not `notActive`; the newest version comes first. */
  readonly versions: readonly FleetVersion[];
  /** Tenants that need attention, or all with `listAll`; by organization id. */
  readonly states: readonly TenantState[];
}

/**
 * Only reads, except when correcting stamps. The server counts healthy tenants in groups.
 * @throws TenantctlError REGISTRY_ABSENT, REGISTRY_INVALID, MIGRATIONS_FOLDER_MISSING
 */
export async function fleetStatus(database: Database, given: StatusOptions): Promise<FleetStatus> {
  const options = checkCall(database, given, 'tenantFolder');
  const folder = await readMigrationFolder(options.tenantFolder);
  const masterFolder =
    options.masterFolder === undefined ? undefined : await readMigrationFolder(options.masterFolder);
  const stateVersion = await assertManaged(database);
  const { listAll: withTimes } = options;
  const { scope, groups, known } = await readFleetFacts(database, { withTimes }, stateVersion);
  const memory = await remember(database, scope);
  const judge: Judge = { folder, decide: await readPlanner(database, known, folder), memory };

  const counted = new Map<TenantGroup, TenantClass>();
  for (const group of groups) {
    const isListed = options.listAll === true || (options.verify === true && group.hasSchema);
    const of = isListed ? undefined : classIfFine(group, known, judge);
    if (of !== undefined) counted.set(group, of);
  }
  const states: TenantState[] = [];
  for await (const page of readMembers(database, scope, groups, (group) => counted.has(group))) {
    const members = await toMembers(database, page, known, { verify: options.verify });
    if (options.verify === true) await putStampsRight(database, members, options.observe ?? silent);
    states.push(...members.map((member) => stateOf(member, judge)));
  }
  const everyone = [
    ...[...counted].map(([group, of]) => {
      const { entries } = historyOf(group, known) ?? EMPTY_HISTORY;
      return { ...group, class: of, entries };
    }),
    ...states.map(({ tenant, history: { entries }, class: of }) => ({
      ...tenant,
      class: of,
      entries,
      count: 1,
    })),
  ];
  return {
    master: await masterStatus(database, masterFolder, memory.intents.get('public')),
    tenants: { ...countClasses(everyone), byStatus: countStatuses(everyone) },
    versions: countVersions(
      everyone.filter((tenant) => tenant.hasSchema && tenant.class !== 'notActive'),
      folder,
    ),
    states: options.listAll === true ? states : states.filter(({ attention }) => attention !== undefined),
  };
}

interface Judge {
  readonly folder: MigrationFolder;
  readonly decide: (history: History) => Plan;
  readonly memory: Remembered;
}

/** The class if the group's facts suffice; undefined if its tenants need attention or must be loaded. */
function classIfFine(group: TenantGroup, known: KnownHistories, { decide }: Judge): TenantClass | undefined {
  if (isRecorded(group) || needsHistory(group, known)) return undefined;
  const seen = { ...group, plan: decide(historyOf(group, known) ?? EMPTY_HISTORY) };
  const of = classOf(seen);
  const attention = attentionOf({ ...seen, class: of, history: EMPTY_HISTORY, pending: [] });
  return attention === undefined ? of : undefined;
}

interface Remembered extends Memory {
  readonly invalidIndexes: readonly InvalidIndex[];
}

async function remember(database: Database, { memory, only = [] }: Scope): Promise<Remembered> {
  const named = only.map(({ schema }) => schema);
  const schemas = new Set([...memory.failures.keys(), ...memory.intents.keys(), ...named]);
  schemas.delete('public');
  return { ...memory, invalidIndexes: await readInvalidIndexes(database, [...schemas]) };
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

function stateOf({ tenant, history }: Member, { folder, decide, memory }: Judge): TenantState {
  const recorded = {
    lastError: memory.failures.get(tenant.schema)?.error,
    interrupted: interruptionOf(tenant, memory.intents.get(tenant.schema)),
    former: memory.ambiguous.get(tenant.schema),
    invalidIndexes: memory.invalidIndexes.filter(({ schema }) => schema === tenant.schema),
  };
  const facts = {
    ...tenant,
    hasFailed: recorded.lastError !== undefined,
    isInterrupted: recorded.interrupted !== undefined,
    plan: decide(history),
  };
  const seen = {
    ...recorded,
    lacks: facts.plan.lacks ?? [],
    class: classOf(facts),
    pending: tenant.hasSchema ? pendingIn(folder, history) : [],
  };
  const applied = history.entries.map((entry) => entry.name);
  return { tenant, applied, history, ...seen, attention: attentionOf({ ...facts, ...seen, history }) };
}

/**
 * @param name organization id or schema @throws TenantctlError TENANT_UNKNOWN, and what fleetStatus throws
 */
export async function tenantState(
  database: Database,
  name: string,
  options: Pick<StatusOptions, 'tenantFolder'>,
): Promise<TenantState> {
  checkOptions({ name }, 'name');
  checkCall(database, options, 'tenantFolder');
  const folder = await readMigrationFolder(options.tenantFolder);
  await assertRegistry(database);
  const [state] = await readStates(database, await findTenants(database, [name]), folder);
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
    readScope(one, { only, withTimes: true }, stateVersion),
    readNewerHistories(one, { stateVersion }, folder),
  ]);
  const memory = await remember(database, scope);
  const judge: Judge = { folder, decide: await readPlanner(database, newer, folder), memory };
  const states: TenantState[] = [];
  // Without the stamps, which are joined for the whole fleet.
  const few = { ...scope, stateVersion: 0 };
  for await (const page of readMembers(database, few, await readGroups(database, few))) {
    const members = await toMembers(database, page, new Map());
    states.push(...members.map((member) => stateOf(member, judge)));
  }
  return states;
}
