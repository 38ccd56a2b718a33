import type { Database } from '../../db/database.ts';
import { EMPTY_HISTORY, readHistories, type History } from '../target/history.ts';
import type { KnownHistories, StampedTenant, TenantGroup } from './fleet-facts.ts';

export interface Member {
  readonly tenant: StampedTenant;
  readonly history: History;
  /** Whether the history was read from its table, not from a stamp. */
  readonly isRead: boolean;
}

/** The history in a stamp; undefined if there is no stamp or its history is unknown. */
export function historyOf(
  { digest }: Pick<TenantGroup, 'digest'>,
  known: KnownHistories,
): History | undefined {
  const entries = digest === null ? undefined : known.get(digest);
  // Setting Knex's lock removes the stamp, so it is not set.
  return entries === undefined ? undefined : { entries, lockedByKnex: false };
}

export interface ReadMembersOptions {
  /** Read every history table, regardless of stamps. */
  readonly verify?: boolean | undefined;
  /** Check Knex's own lock; true if absent. */
  readonly knexLock?: boolean | undefined;
}

/** Takes each history from the stamp if possible, else from its table. */
export async function toMembers(
  database: Database,
  tenants: readonly StampedTenant[],
  known: KnownHistories,
  { verify = false, knexLock = true }: ReadMembersOptions = {},
): Promise<Member[]> {
  const isRead = (tenant: StampedTenant) =>
    tenant.hasSchema && (verify || historyOf(tenant, known) === undefined);
  const histories = await readHistories(database, database.names.tenantHistory, tenants.filter(isRead), {
    knexLock,
  });
  return tenants.map((tenant) => {
    const read = isRead(tenant);
    const history = (read ? histories.get(tenant.schema) : historyOf(tenant, known)) ?? EMPTY_HISTORY;
    return { tenant, history, isRead: read };
  });
}
