import {
  countIn,
  readGroups,
  readMembers,
  type Scope,
  type StampedTenant,
  type TenantGroup,
} from './fleet-facts.ts';
import { EMPTY_HISTORY, readHistories, type History, type HistoryEntry } from '../target/history.ts';
import { assertRegistry, countByStatus, findTenants, type RegisteredTenant } from '../registry/registry.ts';
import { failedInRun } from '../ledger/failed-in-run.ts';
import { readKnownHistories } from '../stamps/stamps.ts';
import { STAMPS_SINCE, readStateVersion } from '../state/version.ts';
import type { Database } from '../../db/database.ts';

export interface Selection {
  /** Organization ids or schema names; the whole fleet where absent. */
  readonly tenants?: readonly string[] | undefined;
}

/** A selection, perhaps by what became of tenants before. */
export interface FleetSelection extends Selection {
  /** Only the tenants that failed in the run of this number; true: in the last one in which any failed. */
  readonly retryFailed?: number | true | undefined;
}

export interface Wishes {
  /** Where no tenants are named, none is meant, and not the whole fleet. */
  readonly onlyNamed?: boolean | undefined;
  /** Pure: tenants with this history need not be looked at one by one. Where absent, all are. */
  readonly isSettled?: ((history: History) => boolean) | undefined;
  /** Read every history table, whatever the stamps say. */
  readonly verify?: boolean | undefined;
  /** Told what the tenants have applied that are not settled, before these are read one by one: what can be got ready. */
  readonly foresee?: ((histories: readonly History[]) => void) | undefined;
  /** Schemas that have been seen to already. */
  readonly without?: ReadonlyMap<string, unknown> | undefined;
}

/** A tenant with what it has applied. */
export interface Member {
  readonly tenant: StampedTenant;
  readonly history: History;
  /** The history was read from its table: there is no stamp, or it was not asked. */
  readonly isRead: boolean;
}

/** The tenants that a command works on, with the facts that its plan needs. */
export interface Fleet {
  /** The version of the tenantctl schema; 0 where there is none. */
  readonly stateVersion: number;
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
  const { tenants = [], retryFailed } = selection;
  const names = retryFailed === undefined ? tenants : await failedInRun(database, retryFailed, tenants);
  const isNamed = names.length > 0 || wishes.onlyNamed === true || retryFailed !== undefined;
  const scope: Scope = {
    stateVersion: await readStateVersion(database),
    only: isNamed ? await findTenants(database, names) : undefined,
  };
  const groups = await readGroups(database, scope);
  const known = await knownHistories(database, scope);
  const settled = new Map<TenantGroup, History>();
  for (const group of groups) {
    const history = historyOf(group, known);
    if (group.status !== 'ACTIVE' || history === undefined || group.isNoted || wishes.verify === true)
      continue;
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
  let active = 0;
  for await (const page of readMembers(database, scope, groups, isLeftOut)) {
    active += page.filter((tenant) => tenant.status === 'ACTIVE').length;
    const rest = page.filter((tenant) => wishes.without?.has(tenant.schema) !== true);
    fleet.notActive.push(...rest.filter((tenant) => tenant.status !== 'ACTIVE'));
    const work = rest.filter((tenant) => tenant.status === 'ACTIVE');
    fleet.withoutSchema.push(...work.filter((tenant) => !tenant.hasSchema));
    const present = work.filter((tenant) => tenant.hasSchema);
    fleet.members.push(...(await toMembers(database, present, known, wishes.verify === true)));
  }
  return {
    ...fleet,
    stateVersion: scope.stateVersion,
    // Whoever was not met one by one had become settled by then.
    settled: Math.max(0, countIn(groups.filter(({ status }) => status === 'ACTIVE')) - active),
    settledHistories: [...settled.values()],
    notActiveByStatus: await notActive(database, groups, isNamed),
  };
}

/** Every history that stamps may refer to, by digest. */
export function knownHistories(
  database: Database,
  { stateVersion }: Pick<Scope, 'stateVersion'>,
): Promise<ReadonlyMap<string, readonly HistoryEntry[]>> {
  return stateVersion >= STAMPS_SINCE ? readKnownHistories(database) : Promise.resolve(new Map());
}

/** What a stamp says; undefined where there is none, or it refers to what nobody knows. */
export function historyOf(
  { digest }: Pick<TenantGroup, 'digest'>,
  known: ReadonlyMap<string, readonly HistoryEntry[]>,
): History | undefined {
  const entries = digest === null ? undefined : known.get(digest);
  // Knex's lock cannot be set: setting it takes the stamp away.
  return entries === undefined ? undefined : { entries, lockedByKnex: false };
}

async function toMembers(
  database: Database,
  tenants: readonly StampedTenant[],
  known: ReadonlyMap<string, readonly HistoryEntry[]>,
  verify: boolean,
): Promise<Member[]> {
  const unknown = tenants.filter((tenant) => verify || historyOf(tenant, known) === undefined);
  const histories = await readHistories(
    database,
    unknown.map((tenant) => tenant.tables),
    // Whoever is due takes Knex's lock before anything is done to it.
    { knexLock: false },
  );
  const read = new Set(unknown);
  return tenants.map((tenant) => {
    const isRead = read.has(tenant);
    const history = (isRead ? histories.get(tenant.schema) : historyOf(tenant, known)) ?? EMPTY_HISTORY;
    return { tenant, history, isRead };
  });
}

async function notActive(
  database: Database,
  groups: readonly TenantGroup[],
  isNamed: boolean,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { status, count } of isNamed ? await countByStatus(database) : groups) {
    if (status !== 'ACTIVE') counts[status] = (counts[status] ?? 0) + count;
  }
  return counts;
}
