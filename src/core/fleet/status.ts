import type { Database } from '../../db/database.ts';
import { scriptsOf, withScriptsOf } from '../files/repeatable.ts';
import { readMigrationFolder, type MigrationFolder } from '../files/source.ts';
import { checkCall } from '../options/check-call.ts';
import { planForward } from '../plan/plan.ts';
import { assertManaged } from '../registry/registry-shape.ts';
import { countClasses, countStatuses, type ClassCounts, type TenantClass } from '../report/class-counts.ts';
import { silent, type Observer } from '../report/event.ts';
import type { Intent } from '../state/intents.ts';
import { EMPTY_HISTORY, readMasterHistory } from '../target/history.ts';
import {
  attentionOf,
  interruptionOf,
  interruptionProblem,
  pendingIn,
  type Interruption,
} from './attention.ts';
import { classOf } from './class-of.ts';
import {
  isRecorded,
  readFleetFacts,
  readMembers,
  type KnownHistories,
  type TenantGroup,
} from './fleet-facts.ts';
import { historyOf, toMembers } from './member.ts';
import { putStampsRight } from './put-stamps-right.ts';
import { needsHistory } from './read-classes.ts';
import {
  readStateContext,
  stateOf,
  type StateContext,
  type StateFolders,
  type TenantState,
} from './tenant-state.ts';
import { readUnfinishedOnNodes, type UnfinishedOnNode } from './unfinished-on-nodes.ts';
import { countVersions, type FleetVersion } from './versions.ts';

export interface StatusOptions extends StateFolders {
  readonly masterFolder?: string | undefined;
  /** List every tenant, not only those that need attention. */
  readonly listAll?: boolean | undefined;
  /** Count the tenants that are only behind instead of listing them: cheap while a run migrates a large fleet. */
  readonly countBehind?: boolean | undefined;
  /** Read every history table regardless of stamps, and correct the stamps. */
  readonly verify?: boolean | undefined;
  readonly observe?: Observer | undefined;
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
  /** Repeatable scripts, and the number of tenants that need at least one; absent without a folder of scripts. */
  readonly repeatable?: { readonly scripts: number; readonly tenants: number } | undefined;
  /** Nodes of a cluster that show tenants as before a transaction that is committed; absent if there are none. */
  readonly unfinishedOnNodes?: readonly UnfinishedOnNode[] | undefined;
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
  const migrations = await readMigrationFolder(options.tenantFolder);
  const folder = await withScriptsOf(migrations, options.repeatableFolder);
  const masterFolder =
    options.masterFolder === undefined ? undefined : await readMigrationFolder(options.masterFolder);
  const stateVersion = await assertManaged(database);
  const { listAll: withTimes } = options;
  const { scope, groups, known } = await readFleetFacts(
    database,
    { withTimes, scripts: scriptsOf(folder) },
    stateVersion,
  );
  const context = await readStateContext(database, scope, known, folder);

  const counted = new Map<TenantGroup, TenantClass>();
  for (const group of groups) {
    const isListed = options.listAll === true || (options.verify === true && group.hasSchema);
    const of = isListed ? undefined : classIfCounted(group, known, context, options.countBehind);
    if (of !== undefined) counted.set(group, of);
  }
  const states: TenantState[] = [];
  for await (const page of readMembers(database, scope, groups, (group) => counted.has(group))) {
    const members = await toMembers(database, page, known, { verify: options.verify });
    if (options.verify === true) await putStampsRight(database, members, options.observe ?? silent);
    states.push(...members.map((member) => stateOf(member, context)));
  }
  const everyone = [
    ...[...counted].map(([group, of]) => {
      const { entries } = historyOf(group, known) ?? EMPTY_HISTORY;
      return { ...group, class: of, entries, unreadable: undefined };
    }),
    ...states.map(({ tenant, history: { entries, unreadable }, class: of, hasOutdatedScripts }) => ({
      ...tenant,
      unreadable,
      hasOutdatedScripts,
      class: of,
      entries,
      count: 1,
    })),
  ];
  const migrated = everyone.filter(
    ({ hasSchema, class: of, unreadable }) => hasSchema && of !== 'notActive' && unreadable === undefined,
  );
  const unfinishedOnNodes = await readUnfinishedOnNodes(database);
  const outdated = migrated.filter((tenant) => tenant.hasOutdatedScripts);
  return {
    master: await masterStatus(database, masterFolder, context.memory.intents.get('public')),
    tenants: { ...countClasses(everyone), byStatus: countStatuses(everyone) },
    ...(folder.scripts !== undefined && {
      repeatable: {
        scripts: folder.scripts.length,
        tenants: outdated.reduce((sum, { count }) => sum + count, 0),
      },
    }),
    ...(unfinishedOnNodes.length > 0 && { unfinishedOnNodes }),
    versions: countVersions(migrated, folder),
    states: options.listAll === true ? states : states.filter(({ attention }) => attention !== undefined),
  };
}

/** The class if the group's facts suffice; undefined if its tenants are to be listed or must be loaded. */
function classIfCounted(
  group: TenantGroup,
  known: KnownHistories,
  { decide }: StateContext,
  countBehind = false,
): TenantClass | undefined {
  if (isRecorded(group) || needsHistory(group, known)) return undefined;
  const seen = { ...group, plan: decide(historyOf(group, known) ?? EMPTY_HISTORY, group) };
  const of = classOf(seen);
  const attention = attentionOf({ ...seen, class: of, history: EMPTY_HISTORY, pending: [] });
  return attention === undefined || (countBehind && of === 'behind') ? of : undefined;
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
