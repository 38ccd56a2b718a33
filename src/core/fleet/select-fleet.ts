import { countIn, readGroups, readMembers, readScope, type Scope, type TenantGroup } from './fleet-facts.ts';
import { historyOf, knownHistories, toMembers, type Member } from './member.ts';
import type { History } from '../target/history.ts';
import { countByStatus, findTenants, type RegisteredTenant } from '../registry/registry.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { failedInRun } from '../ledger/failed-in-run.ts';
import { countStatuses } from '../report/class-counts.ts';
import type { Database } from '../../db/database.ts';

export interface Selection {
  /** Organization ids or schema names: an empty array selects no tenants. The whole fleet if absent. */
  readonly tenants?: readonly string[] | undefined;
}

/** A selection, perhaps by what became of tenants before. */
export interface FleetSelection extends Selection {
  /** Only the tenants that failed in the run of this number; true: in the last one in which any failed. */
  readonly retryFailed?: number | true | undefined;
}

export interface Wishes {
  /** Pure: tenants with this history need not be looked at one by one. Where absent, all are. */
  readonly isSettled?: ((history: History) => boolean) | undefined;
  /** Read every history table, whatever the stamps say. */
  readonly verify?: boolean | undefined;
  /** Told what the tenants have applied that are not settled, before these are read one by one: what can be got ready. */
  readonly foresee?: ((histories: readonly History[]) => void) | undefined;
  /** Schemas that have been seen to already. */
  readonly without?: ReadonlyMap<string, unknown> | undefined;
}

/** The tenants that a command works on, with the facts that its plan needs. */
export interface Fleet {
  /** What was selected. */
  readonly scope: Scope;
  /** The selected tenants in groups, as they were found. */
  readonly groups: readonly TenantGroup[];
  /** ACTIVE tenants with a schema, without the settled ones. */
  readonly members: readonly Member[];
  /** How many ACTIVE tenants need not be looked at one by one. */
  readonly settled: number;
  /** What they have applied, each history once. */
  readonly settledHistories: readonly History[];
  /** ACTIVE tenants whose schema does not exist. */
  readonly withoutSchema: readonly RegisteredTenant[];
  /** Tenants that were selected by name and are not ACTIVE. */
  readonly notActive: readonly RegisteredTenant[];
  /** All tenants of the registry that are not ACTIVE, counted by status. */
  readonly notActiveByStatus: Readonly<Record<string, number>>;
}

/**
 * Reads the registry, the catalog and the stamps in one query; then, one by one, the tenants that are not settled, and
 * the history tables of those that have no stamp.
 * @throws TenantctlError REGISTRY_ABSENT, REGISTRY_INVALID, TENANT_UNKNOWN, RUN_UNKNOWN
 */
export async function selectFleet(
  database: Database,
  selection: FleetSelection,
  wishes: Wishes = {},
): Promise<Fleet> {
  await assertRegistry(database);
  const { tenants, retryFailed } = selection;
  const names = retryFailed === undefined ? tenants : await failedInRun(database, retryFailed, tenants);
  const isNamed = names !== undefined;
  const scope = await readScope(database, { only: isNamed ? await findTenants(database, names) : undefined });
  const groups = await readGroups(database, scope);
  const known = await knownHistories(database, scope);
  const settled = new Map<TenantGroup, History>();
  for (const group of groups) {
    const history = historyOf(group, known);
    const isRecorded = group.hasFailed || group.isInterrupted || group.isAmbiguous;
    if (group.status !== 'ACTIVE' || isRecorded || history === undefined || wishes.verify === true) continue;
    if (wishes.isSettled?.(history) === true) settled.set(group, history);
  }
  wishes.foresee?.(
    groups
      .filter((group) => group.status === 'ACTIVE' && !settled.has(group))
      .flatMap((group) => historyOf(group, known) ?? []),
  );
  const isLeftOut = (group: TenantGroup) => settled.has(group) || (group.status !== 'ACTIVE' && !isNamed);

  const fleet = {
    members: [] as Member[],
    withoutSchema: [] as RegisteredTenant[],
    notActive: [] as RegisteredTenant[],
  };
  // Whoever is due takes Knex's lock before anything is done to it.
  const read = { verify: wishes.verify, knexLock: false };
  let active = 0;
  for await (const page of readMembers(database, scope, groups, isLeftOut)) {
    active += page.filter((tenant) => tenant.status === 'ACTIVE').length;
    const rest = page.filter((tenant) => wishes.without?.has(tenant.schema) !== true);
    fleet.notActive.push(...rest.filter((tenant) => tenant.status !== 'ACTIVE'));
    const work = rest.filter((tenant) => tenant.status === 'ACTIVE');
    fleet.withoutSchema.push(...work.filter((tenant) => !tenant.hasSchema));
    const present = work.filter((tenant) => tenant.hasSchema);
    fleet.members.push(...(await toMembers(database, present, known, read)));
  }
  const everyone = isNamed ? await countByStatus(database) : groups;
  return {
    ...fleet,
    scope,
    groups,
    // Whoever was not met one by one had become settled by then.
    settled: Math.max(0, countIn(groups.filter(({ status }) => status === 'ACTIVE')) - active),
    settledHistories: [...settled.values()],
    notActiveByStatus: countStatuses(everyone.filter(({ status }) => status !== 'ACTIVE')),
  };
}
