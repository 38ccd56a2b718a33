import type { QueryResultRow } from 'pg';
import { checkCall, checkDatabase } from '../options/check-call.ts';
import { TenantctlError, type ErrorReport } from '../../errors.ts';
import { queryEntries } from './query-entries.ts';
import { recordedError } from '../state/failures.ts';
import { readStateVersion, RUNS_SINCE } from '../state/version.ts';
import type { Database } from '../../db/database.ts';
import type { MigrationNotice } from '../report/notices.ts';
import { AT_WORK } from '../state/run-at-work.ts';

/** `died`: the run has no end but is no longer active. */
export type RunOutcome = 'done' | 'failed' | 'interrupted' | 'at-work' | 'died';

export interface Run {
  readonly id: number;
  readonly command: string;
  readonly outcome: RunOutcome;
  /** The login role. */
  readonly startedBy: string;
  /** The operating-system user; null if it was not recorded. */
  readonly osUser: string | null;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  /** What the run belongs to (RunOptions.runLabel); null without one. */
  readonly label: string | null;
  readonly startedAt: Date;
  /** Null if the run is active or died. */
  readonly endedAt: Date | null;
  readonly durationMs: number | null;
  /** Migrations to apply or undo, for any tenant. */
  readonly planned: readonly string[];
  /** Options that differ from the default. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Tenants by outcome; for a run without an end, `changed` and `failed` so far. */
  readonly totals: Readonly<Record<string, number>>;
  /** What the server said while migrations ran. */
  readonly notices: readonly MigrationNotice[];
  /** The error that ended the whole run. */
  readonly error: ErrorReport | null;
}

/** What a run did to one tenant; the master schema `public` has no organization id. */
export interface RunTenant {
  readonly clerkOrgId: string | null;
  readonly schema: string;
  readonly outcome:
    | 'migrated'
    | 'rolled-back'
    | 'written'
    | 'seeded'
    | 'suspended'
    | 'resumed'
    | 'restored'
    | 'unarchived'
    | 'renamed'
    | 'moved'
    | 'backed-up'
    | 'adopted'
    | 'marked'
    | 'dropped'
    | 'archived'
    | 'cloned'
    | 'failed';
  readonly direction: 'up' | 'down';
  /** In the order applied or undone; for a failure, those committed before it. */
  readonly names: readonly string[];
  readonly batch: number;
  readonly durationMs: number;
  readonly error: ErrorReport | null;
}

export interface ReadRunsOptions {
  /** Maximum number of runs; 20 if absent. */
  readonly limit?: number | undefined;
}

const DEFAULT_LIMIT = 20;

const RUN_COLUMNS = `r.id, r.command, coalesce(r.outcome, CASE WHEN ${AT_WORK} THEN 'at-work' ELSE 'died' END) AS outcome,
  r.started_by AS "startedBy", r.host, r.pid, r.version, r.started_at AS "startedAt", r.ended_at AS "endedAt",
  r.planned, r.options - '{by,notices}'::text[] AS options,
  coalesce(r.options -> 'notices', '[]') AS notices, r.options #>> '{by,osUser}' AS "osUser", r.options #>> '{by,label}' AS label,
  coalesce(r.totals, (
    SELECT jsonb_build_object(
      'changed', count(*) FILTER (WHERE NOT t.has_failed), 'failed', count(*) FILTER (WHERE t.has_failed))
    FROM (SELECT bool_or(outcome = 'failed') AS has_failed FROM tenantctl.run_tenants
          WHERE run = r.id GROUP BY schema_name, clerk_org_id) t)) AS totals, ${recordedError('r.error')} AS error`;

/** Newest first; empty if there is no ledger. */
export async function readRuns(database: Database, options: ReadRunsOptions = {}): Promise<Run[]> {
  checkCall(database, options);
  return selectRuns(database, 'ORDER BY r.id DESC LIMIT $1', options.limit ?? DEFAULT_LIMIT);
}

/** The runs that a process is working on, newest first. */
export async function readRunsAtWork(database: Database): Promise<Run[]> {
  checkDatabase(database);
  return selectRuns(database, `WHERE ${AT_WORK} ORDER BY r.id DESC`);
}

/** @param id its number, or the newest run of any command @throws TenantctlError RUN_UNKNOWN */
export async function readRun(database: Database, id: number | 'latest'): Promise<Run> {
  if (id === 'latest') checkDatabase(database);
  else checkCall(database, { runNumber: id }, 'runNumber');
  const [run] =
    id === 'latest'
      ? await selectRuns(database, 'ORDER BY r.id DESC LIMIT $1', 1)
      : await selectRuns(database, 'WHERE r.id = $1', id);
  if (run === undefined) throw runUnknown(id);
  return run;
}

async function selectRuns(database: Database, which: string, ...values: number[]): Promise<Run[]> {
  if ((await readStateVersion(database)) < RUNS_SINCE) return [];
  const { rows } = await database.query<Omit<Run, 'id'> & { readonly id: string } & QueryResultRow>(
    `SELECT ${RUN_COLUMNS} FROM tenantctl.runs r ${which}`,
    values,
  );
  return rows.map((row) => ({
    ...row,
    id: Number(row.id),
    durationMs: row.endedAt && row.endedAt.getTime() - row.startedAt.getTime(),
  }));
}

function runUnknown(run: number | 'latest'): TenantctlError {
  const which = run === 'latest' ? 'no run' : `no run ${run}`;
  return new TenantctlError('RUN_UNKNOWN', `There is ${which} in the ledger.`, {
    hint: 'tenantctl runs lists the recorded runs; old ones are deleted (RUNS_KEEP).',
  });
}

/** By organization id, under current names. */
export async function readRunTenants(
  database: Database,
  run: number,
  { onlyFailed }: { readonly onlyFailed: boolean },
): Promise<RunTenant[]> {
  checkCall(database, { runNumber: run, onlyFailed }, 'runNumber');
  const stateVersion = await readStateVersion(database);
  const rows = await queryEntries<{ key: string; entry: RunTenant }>(
    database,
    stateVersion,
    `, of_run AS (
       SELECT *, concat_ws(' ', schema, is_gone, organization) AS key FROM entries WHERE run = $1)
     SELECT key, jsonb_build_object(
       'clerkOrgId', organization, 'schema', schema, 'outcome', outcome, 'direction', direction,
       'names', names, 'batch', batch, 'durationMs', duration_ms, 'error', ${recordedError('error')}) AS entry
     FROM of_run
     WHERE NOT $2 OR key IN (SELECT key FROM of_run WHERE outcome = 'failed')
     ORDER BY organization COLLATE "C", schema COLLATE "C", key, ended_at`,
    [run, onlyFailed],
  );
  const tenants = new Map<string, RunTenant>();
  for (const { key, entry: row } of rows) {
    const before = tenants.get(key);
    const isFailure = row.outcome === 'failed';
    const names = [...(before?.direction === row.direction ? before.names : []), ...row.names];
    // Show a migration that the run applied and then undid as undone.
    const { direction } = names.length > 0 || before === undefined ? row : before;
    tenants.set(key, {
      ...row,
      outcome: before?.outcome === 'failed' ? 'failed' : row.outcome,
      direction,
      names: names.length > 0 ? names : (before?.names ?? []),
      batch: row.batch === 0 ? (before?.batch ?? 0) : row.batch,
      // The duration of a failure covers all work on the tenant.
      durationMs: isFailure ? row.durationMs : (before?.durationMs ?? 0) + row.durationMs,
      error: row.error ?? before?.error ?? null,
    });
  }
  return [...tenants.values()];
}
