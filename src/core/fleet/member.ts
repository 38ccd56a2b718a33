import type { Database } from '../../db/database.ts';
import { readKnownHistories } from '../stamps/stamps.ts';
import { STAMPS_SINCE } from '../state/version.ts';
import { EMPTY_HISTORY, readHistories, type History, type HistoryEntry } from '../target/history.ts';
import type { Scope, StampedTenant, TenantGroup } from './fleet-facts.ts';

/** A tenant with what it has applied. */
export interface Member {
  readonly tenant: StampedTenant;
  readonly history: History;
  /** The history was read from its table: there is no stamp, or it was not asked. */
  readonly isRead: boolean;
}

/** Histories by the digest that stamps refer to them by. */
export type KnownHistories = ReadonlyMap<string, readonly HistoryEntry[]>;

/** Every history that stamps may refer to. */
export function knownHistories(
  database: Database,
  { stateVersion }: Pick<Scope, 'stateVersion'>,
): Promise<KnownHistories> {
  return stateVersion >= STAMPS_SINCE ? readKnownHistories(database) : Promise.resolve(new Map());
}

/** What a stamp says; undefined where there is none, or where it refers to an unknown history. */
export function historyOf(
  { digest }: Pick<TenantGroup, 'digest'>,
  known: KnownHistories,
): History | undefined {
  const entries = digest === null ? undefined : known.get(digest);
  // Knex's lock cannot be set: setting it takes the stamp away.
  return entries === undefined ? undefined : { entries, lockedByKnex: false };
}

export interface ReadMembersOptions {
  /** Read every history table, whatever the stamps say. */
  readonly verify?: boolean | undefined;
  /** Look whether Knex's own lock is set; true where absent. */
  readonly knexLock?: boolean | undefined;
}

/** Adds what each tenant has applied: as its stamp says, or else as its history table says. */
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
