import { type Migration, runsInTransaction, type Direction } from '../files/load.ts';
import { poolTooSmall } from '../../db/connections.ts';
import { poolerInBetween } from './outside-errors.ts';
import type { Database } from '../../db/database.ts';

/**
 * Refuses migrations that need a session if there is none, before anything is done: nobody is helped by a tenant that
 * gets only some of its migrations.
 * @throws TenantctlError POOLER_UNSUPPORTED; CONCURRENCY_TOO_HIGH where the pool has no second connection
 */
export function assertSessions(
  database: Database,
  migrations: readonly Migration[],
  direction: Direction,
): void {
  const outside = migrations.find((migration) => !runsInTransaction(migration, direction));
  if (outside === undefined) return;
  if (!database.hasSessions) throw poolerInBetween(outside.file.name);
  if (!database.hasRoomAside) throw poolTooSmall('aside', database.max);
}
