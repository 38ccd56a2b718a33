import type { Database } from '../../db/database.ts';
import type { Blocker } from '../../errors.ts';
import { readRunsAtWork, type Run } from '../ledger/read-runs.ts';
import { checkCall } from '../options/check-call.ts';
import { readBlockers } from '../run/blockers.ts';
import { fleetStatus, type FleetStatus, type StatusOptions } from './status.ts';

/** The fleet at one moment, while runs are at work on it. */
export interface FleetSnapshot {
  readonly at: Date;
  readonly status: FleetStatus;
  /** Newest first. */
  readonly runs: readonly Run[];
  /** Who keeps tenantctl's statements waiting for a lock. */
  readonly blockers: readonly Blocker[];
}

export type SnapshotOptions = Pick<
  StatusOptions,
  'masterFolder' | 'tenantFolder' | 'repeatableFolder' | 'listAll'
>;

/**
 * The state of the fleet and the runs at work, for a display that is renewed every few seconds. A few queries, whatever
 * the size of the fleet: tenants that are only behind are counted. Only reads.
 * @throws TenantctlError what fleetStatus throws
 */
export async function fleetSnapshot(database: Database, given: SnapshotOptions): Promise<FleetSnapshot> {
  const options = checkCall(database, given, 'tenantFolder');
  const status = await fleetStatus(database, { ...options, countBehind: true });
  const runs = await readRunsAtWork(database);
  const waiting = runs.length > 0 ? [...(await readBlockers(database)).values()].flat() : [];
  const blockers = new Map(waiting.map((blocker) => [`${blocker.pid} ${blocker.query}`, blocker]));
  return { at: new Date(), status, runs, blockers: [...blockers.values()] };
}
