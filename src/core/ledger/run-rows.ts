import type { Database } from '../../db/database.ts';
import { processFacts } from './process-facts.ts';
import { AT_WORK } from '../state/run-at-work.ts';
import { cleanLabel } from './run-label.ts';

/** `migrate all` is recorded as its two parts. */
export type RunCommand =
  | 'migrate master'
  | 'migrate tenants'
  | 'rollback master'
  | 'rollback tenants'
  | 'tenant provision'
  | 'tenant suspend'
  | 'tenant resume'
  | 'tenant restore'
  | 'tenant unarchive'
  | 'tenant rename'
  | 'tenant move'
  | 'fleet balance'
  | 'tenant backup'
  | 'tenant adopt'
  | 'history mark'
  | 'tenant drop'
  | 'tenant archive'
  | 'tenant clone'
  | 'drift'
  | 'grant application'
  | 'exec'
  | 'seed tenants';

/** What the ledger knows of a run from its beginning. */
export interface RunHead {
  readonly command: RunCommand;
  /** Options that are worth recording. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly label: string | undefined;
}

/** @returns its number; undefined if the condition does not hold */
export async function insertRun(
  connection: Pick<Database, 'query'>,
  { command, options, label }: RunHead,
  planned: readonly string[],
  lease: string | undefined,
  condition = 'true',
): Promise<number | undefined> {
  const { osUser, host, pid, version } = processFacts();
  // Beside the options, which are jsonb: facts that came later need no column, and no new version of the state.
  const recorded = { ...options, by: { osUser, label: cleanLabel(label) } };
  const { rows } = await connection.query<{ id: string }>(
    `INSERT INTO tenantctl.runs (command, host, pid, version, planned, options, lease)
     SELECT $1, $2, $3::integer, $4, $5::text[], $6::jsonb, $7 WHERE ${condition} RETURNING id`,
    [command, host, pid, version, planned, jsonOf(recorded), lease ?? null],
  );
  return rows[0] && Number(rows[0].id);
}

/** Ends a run. Its parameters: id, outcome, totals, error, planned, is_idle, more options. */
export const END_RUN = `UPDATE tenantctl.runs
  SET ended_at = clock_timestamp(), outcome = $2, totals = $3, error = $4, planned = $5, is_idle = $6,
      options = options || $7
  WHERE id = $1
  RETURNING (SELECT count(*)::integer FROM tenantctl.runs o
             WHERE o.command = runs.command AND o.is_idle = $6 AND o.id <> $1) AS others`;

/**
 * Deletes a command's oldest inactive runs with their entries. Runs with nothing to do are counted
 * separately: a job that runs every minute must not push out last week's deploy. The newest run is kept.
 */
export async function pruneRuns(database: Database, command: string, keep: number): Promise<void> {
  await database.query(
    `WITH ranked AS (
       SELECT id, row_number() OVER (PARTITION BY is_idle ORDER BY id DESC) AS place
       FROM tenantctl.runs WHERE command = $1),
     old AS (
       DELETE FROM tenantctl.runs WHERE id IN (
         SELECT r.id FROM tenantctl.runs r JOIN ranked USING (id)
         WHERE place > $2 AND NOT ${AT_WORK}
         ORDER BY r.id FOR UPDATE OF r SKIP LOCKED)
       RETURNING id)
     DELETE FROM tenantctl.run_tenants t USING old WHERE t.run = old.id`,
    [command, keep],
  );
}

/** jsonb cannot hold NUL (https://www.postgresql.org/docs/current/datatype-json.html). */
export function jsonOf(value: unknown): string {
  return JSON.stringify(value).replaceAll('\\u0000', '');
}
