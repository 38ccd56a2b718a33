import {
  countIn,
  isRecorded,
  readFleetFacts,
  readMembers,
  type FleetFacts,
  type Scope,
  type TenantGroup,
} from './fleet-facts.ts';
import { historyOf, toMembers, type Member } from './member.ts';
import type { History } from '../target/history.ts';
import { countByStatus, findTenants, type RegisteredTenant } from '../registry/registry.ts';
import { assertManaged } from '../registry/registry-shape.ts';
import { failedInRun } from '../ledger/failed-in-run.ts';
import { countStatuses } from '../report/class-counts.ts';
import type { Database } from '../../db/database.ts';
import type { TenantctlError } from '../../errors.ts';
import { tenantNotActive } from '../registry/not-active.ts';
import { tenantUnfinished } from '../state/unfinished-verb.ts';
import type { IncludedStatus, TenantStatus, TenantNames } from '../../names.ts';

export interface Selection {
  /** Organization ids or schema names; empty selects no tenants, absent selects all. */
  readonly tenants?: readonly string[] | undefined;
}

export interface FleetSelection extends Selection {
  /** Only tenants that failed in this run; true: in the last run with failures. */
  readonly retryFailed?: number | true | undefined;
  /** Tenants with these statuses are selected, too, and not only ACTIVE ones. */
  readonly include?: readonly IncludedStatus[] | undefined;
}

/** The statuses of the tenants that a command works on. Pure. */
export function servedStatuses({ include = [] }: Pick<FleetSelection, 'include'>): readonly TenantStatus[] {
  return ['ACTIVE', ...include];
}

export interface Wishes {
  /** Pure: tenants with this history need not be loaded individually. If absent, all are. */
  readonly isSettled?: ((history: History) => boolean) | undefined;
  /** Read every history table, regardless of stamps. */
  readonly verify?: boolean | undefined;
  /** Receives the histories of unsettled tenants before these are loaded, so that work can be prepared. */
  readonly foresee?: ((histories: readonly History[]) => void) | undefined;
  /** Schemas that are already done. */
  readonly without?: ReadonlySet<string> | undefined;
}

/** No selected tenant has a history under the configured name. */
export function isWithoutHistory({ settled, members }: Pick<Fleet, 'settled' | 'members'>): boolean {
  return settled === 0 && members.length > 0 && members.every(({ history }) => history.entries.length === 0);
}

/** A tenant to which nothing is done, and why. */
export interface RefusedTenant<T = TenantNames> {
  readonly tenant: T;
  readonly error: TenantctlError;
}

/** The facts about the tenants that a command asks for. */
export interface Selected extends FleetFacts {
  readonly isNamed: boolean;
  /** Tenants with other statuses are left alone. */
  readonly statuses: readonly TenantStatus[];
  /** Tenants to retry that are no longer in the registry. */
  readonly gone: number;
}

/** The tenants of a command, with the facts that its plan needs. */
export interface Fleet extends Selected {
  /** Tenants to serve that have a schema, except settled ones. */
  readonly members: readonly Member[];
  /** The number of tenants to serve that need not be loaded individually. */
  readonly settled: number;
  /** The distinct histories of settled tenants. */
  readonly settledHistories: readonly History[];
  readonly withoutSchema: readonly RegisteredTenant[];
  /** Tenants selected by name whose status is another one, with the error that says so. */
  readonly notActive: readonly RefusedTenant<RegisteredTenant>[];
  /** All tenants of the registry with another status, by status. */
  readonly notActiveByStatus: Readonly<Record<string, number>>;
}

/**
 * @param scripts that each tenant should have
 * @throws TenantctlError REGISTRY_ABSENT, REGISTRY_INVALID, TENANT_UNKNOWN, RUN_UNKNOWN
 */
export async function readSelected(
  database: Database,
  { tenants, retryFailed, include }: FleetSelection,
  scripts?: Scope['scripts'],
): Promise<Selected> {
  const stateVersion = await assertManaged(database);
  const failed = retryFailed === undefined ? undefined : await failedInRun(database, retryFailed, tenants);
  const names = failed?.schemas ?? tenants;
  const only = names === undefined ? undefined : await findTenants(database, names);
  const facts = await readFleetFacts(database, { only, scripts }, stateVersion);
  const statuses = servedStatuses({ include });
  return { ...facts, isNamed: names !== undefined, statuses, gone: failed?.gone ?? 0 };
}

/** Reads the selected tenants that are not settled, and histories without a stamp. */
export async function selectFleet(
  database: Database,
  selected: Selected,
  wishes: Wishes = {},
): Promise<Fleet> {
  const { scope, groups, known, isNamed, statuses } = selected;
  const isServed = ({ status }: { readonly status: string }) => statuses.some((word) => word === status);
  const settled = new Map<TenantGroup, History>();
  for (const group of groups) {
    const history = historyOf(group, known);
    if (!isServed(group) || isRecorded(group) || history === undefined || wishes.verify === true) continue;
    if (!group.hasOutdatedScripts && wishes.isSettled?.(history) === true) settled.set(group, history);
  }
  wishes.foresee?.(
    groups
      .filter((group) => isServed(group) && !settled.has(group))
      .flatMap((group) => historyOf(group, known) ?? []),
  );
  const isLeftOut = (group: TenantGroup) => settled.has(group) || (!isServed(group) && !isNamed);

  const fleet = {
    members: [] as Member[],
    withoutSchema: [] as RegisteredTenant[],
    notActive: [] as RefusedTenant<RegisteredTenant>[],
  };
  // Each tenant's turn takes Knex's lock first, so it need not be checked here.
  const read = { verify: wishes.verify, knexLock: false };
  let served = 0;
  for await (const page of readMembers(database, scope, groups, isLeftOut)) {
    served += page.filter(isServed).length;
    const rest = page.filter((tenant) => wishes.without?.has(tenant.schema) !== true);
    // Nobody asked for a tenant that has come, or changed its status, since the groups were read.
    const others = isNamed ? rest.filter((tenant) => !isServed(tenant)) : [];
    for (const tenant of others) {
      const verb = scope.memory.verbs.get(tenant.schema);
      const error = verb === undefined ? tenantNotActive(tenant, tenant.status) : tenantUnfinished(verb);
      fleet.notActive.push({ tenant, error });
    }
    const work = rest.filter(isServed);
    fleet.withoutSchema.push(...work.filter((tenant) => !tenant.hasSchema));
    const present = work.filter((tenant) => tenant.hasSchema);
    fleet.members.push(...(await toMembers(database, present, known, read)));
  }
  const everyone = isNamed ? await countByStatus(database) : groups;
  return {
    ...selected,
    ...fleet,
    // Tenants that became settled since the groups were read.
    settled: Math.max(0, countIn(groups.filter(isServed)) - served),
    settledHistories: [...settled.values()],
    notActiveByStatus: countStatuses(everyone.filter((group) => !isServed(group))),
  };
}
