import type { HistoryEntry } from '../target/history.ts';
import { digestOf } from '../stamps/stamps.ts';
import type { Direction } from '../files/load.ts';
import { statusOf } from '../registry/registry-sql.ts';
import type { Sighting } from '../serve/work.ts';
import type { MigrationTask } from '../fleet/plan-fleet.ts';
import { historyAfter } from '../plan/history-after.ts';
import type { Database } from '../../db/database.ts';

/** A tenant as it is in the middle of a run, which other runs may share. */
export interface PeerView {
  /** The registry's; empty if the row is gone. */
  readonly status: string;
  /** The digest of its history, as its stamp has it; null where there is none to be trusted. */
  readonly digest: string | null;
  /** Somebody is at work on it. */
  readonly isLocked: boolean;
}

/**
 * Looks what other runs have made of tenants, in one query; opens no table of theirs.
 * @param isDone pure: whether nothing is left to be done to a tenant
 */
export async function lookAtPeers(
  database: Pick<Database, 'query' | 'names'>,
  tasks: readonly MigrationTask[],
  isDone: (task: MigrationTask, now: PeerView) => boolean,
): Promise<Sighting<MigrationTask>> {
  const { rows } = await database.query<{
    schema: string;
    status: string;
    digest: string | null;
    is_locked: boolean;
  }>(
    `SELECT schema_name AS schema, ${statusOf(database.names, 'status')} AS status, digest::text AS digest, is_locked
     FROM tenantctl.peers($1)`,
    [tasks.map(({ tenant }) => tenant.schema)],
  );
  const bySchema = new Map(
    rows.map(({ schema, status, digest, is_locked: isLocked }) => [schema, { status, digest, isLocked }]),
  );
  const sighting = {
    done: [] as MigrationTask[],
    locked: [] as MigrationTask[],
    free: [] as MigrationTask[],
  };
  for (const task of tasks) {
    const now = bySchema.get(task.tenant.schema);
    if (now !== undefined && isDone(task, now)) sighting.done.push(task);
    else if (now?.isLocked === true) sighting.locked.push(task);
    else sighting.free.push(task);
  }
  return sighting;
}

/** Whether a tenant's history is by now what its plan would make of it. Each distinct history is worked out once. */
export function isAsPlanned(direction: Direction): (task: MigrationTask, now: PeerView) => boolean {
  const digests = new Map<readonly HistoryEntry[], string>();
  return ({ history, plan }, { digest }) => {
    let planned = digests.get(history.entries);
    if (planned === undefined) {
      planned = digestOf(historyAfter(history, plan, direction));
      digests.set(history.entries, planned);
    }
    return digest === planned;
  };
}
