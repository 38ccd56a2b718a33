import type { HistoryEntry } from '../target/history.ts';
import { digester } from '../stamps/stamps.ts';
import { isScript, type Plan, historyAfter } from '../plan/plan.ts';
import type { Direction } from '../files/load.ts';
import { statusOf } from '../registry/registry-sql.ts';
import { outdatedScripts, readScripts, type Script } from '../state/scripts.ts';
import type { Sighting } from '../serve/work.ts';
import type { MigrationTask } from '../fleet/plan-fleet.ts';
import type { Database } from '../../db/database.ts';

/** A tenant as seen in the middle of a run that other runs may share. */
export interface PeerView {
  /** From the registry; empty if the row is gone. */
  readonly status: string;
  /** The digest of its history according to its stamp; null without a valid stamp. */
  readonly digest: string | null;
  readonly isLocked: boolean;
  /** The repeatable scripts that it has; absent if no task has any. */
  readonly scripts?: readonly Script[] | undefined;
}

/** Queries what other runs have done to tenants, without opening their tables. @param isDone pure */
export async function lookAtPeers(
  database: Pick<Database, 'query' | 'names'>,
  tasks: readonly MigrationTask[],
  isDone: (task: MigrationTask, now: PeerView) => boolean,
): Promise<Sighting<MigrationTask>> {
  const { rows } = await database.query<PeerView & { readonly schema: string }>(
    `SELECT schema_name AS schema, ${statusOf(database.names, 'status')} AS status, digest::text AS digest,
            is_locked AS "isLocked"
     FROM tenantctl.peers($1::text[])`,
    [tasks.map(({ tenant }) => tenant.schema)],
  );
  const schemas = tasks.filter(({ plan }) => plan.steps.some(isScript)).map(({ tenant }) => tenant.schema);
  const scripts = schemas.length === 0 ? undefined : await readScripts(database, 'repeatable', schemas);
  const bySchema = new Map(rows.map((row) => [row.schema, { ...row, scripts: scripts?.get(row.schema) }]));
  const sighting: Record<keyof Sighting<MigrationTask>, MigrationTask[]> = { done: [], locked: [], free: [] };
  for (const task of tasks) {
    const now = bySchema.get(task.tenant.schema);
    if (now !== undefined && isDone(task, now)) sighting.done.push(task);
    else if (now?.isLocked === true) sighting.locked.push(task);
    else sighting.free.push(task);
  }
  return sighting;
}

/** Whether a tenant's history and scripts are already what its plan, or a later part of it, produces. */
export function isAsPlanned(direction: Direction): (task: MigrationTask, now: PeerView) => boolean {
  const digest = digester();
  const planned = new Map<Plan, readonly HistoryEntry[]>();
  return ({ history, plan, part }, now) => {
    const after = planned.get(plan) ?? historyAfter(history, plan, direction);
    planned.set(plan, after);
    const scripts = plan.steps.flatMap(({ file }) => file.script ?? []);
    return (
      outdatedScripts(scripts, now.scripts).length === 0 &&
      (part?.states ?? [after]).some((entries) => digest(entries) === now.digest)
    );
  };
}
