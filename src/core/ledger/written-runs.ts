import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import { listed } from '../../wording.ts';
import { readStateVersion } from '../state/version.ts';
import { queryEntries } from './query-entries.ts';
import { readRun, readRuns, type Run } from './read-runs.ts';

/** A run of exec that another one continues, with those that it has continued itself. */
export interface WrittenRun {
  readonly ids: readonly number[];
  /** What the ledger keeps of its SQL. */
  readonly sqlDigest: unknown;
}

/**
 * Finds a run of `exec --write` to continue.
 * @param which its number, or the newest one with this SQL: a run that was stopped before it began is not in the ledger,
 *   and the newest one would be somebody else's
 * @throws TenantctlError RUN_UNKNOWN, RUN_AT_WORK
 */
export async function findWritten(
  database: Database,
  which: number | 'latest',
  sqlDigest: string,
): Promise<WrittenRun> {
  const run = which === 'latest' ? await latestWritten(database, sqlDigest) : await readRun(database, which);
  const { id, command, outcome, options } = run;
  if (command !== 'exec')
    throw new TenantctlError('RUN_UNKNOWN', `Run ${id} was ${command}; --resume takes runs of exec.`, {
      hint: 'tenantctl runs lists them.',
    });
  if (outcome === 'at-work')
    throw new TenantctlError('RUN_AT_WORK', `Run ${id} is still at work.`, {
      hint: `Wait until it ends, or stop it (Ctrl-C); tenantctl runs show ${id} shows its progress.`,
    });
  const { resumes = [], sqlDigest: of } = options as { resumes?: readonly number[]; sqlDigest?: unknown };
  return { ids: [id, ...resumes], sqlDigest: of };
}

async function latestWritten(database: Database, sqlDigest: string): Promise<Run> {
  const runs = await readRuns(database, { limit: LOOKED_AT });
  const latest = runs.find(({ command, options }) => command === 'exec' && options.sqlDigest === sqlDigest);
  if (latest !== undefined) return latest;
  throw new TenantctlError('RUN_UNKNOWN', 'There is no recent run of exec with this SQL.', {
    hint: 'If the SQL was corrected, give the number of the run: tenantctl runs --limit 100 lists them. If the run was stopped before it began, run the command without --resume.',
  });
}

/** How many runs are searched for the newest one with the same SQL. */
const LOOKED_AT = 100;

/**
 * Takes over a run and its predecessors: nothing of them is committed from now on (`recordWritten`), and no other run may
 * take them over. A run that was killed before it could do so has left its predecessor open.
 * @param by the run that continues it
 * @returns the schemas in which it and its predecessors have written, under current names
 * @throws TenantctlError RUN_UNKNOWN if one of them is no longer in the ledger, or another run continues it
 */
export async function takeOverWritten(
  database: Database,
  { ids }: Pick<WrittenRun, 'ids'>,
  by: number | undefined,
): Promise<ReadonlySet<string>> {
  const [last] = ids;
  await database.query(
    `UPDATE tenantctl.runs SET ended_at = coalesce(ended_at, clock_timestamp()),
       outcome = coalesce(outcome, 'interrupted'), options = options || jsonb_build_object('continuedBy', $2::bigint)
     WHERE id = ANY ($1) AND NOT options ? 'continuedBy'`,
    [ids, by],
  );
  const { rows } = await database.query<{ id: string; by: number | null }>(
    `SELECT id, options -> 'continuedBy' AS by FROM tenantctl.runs WHERE id = ANY ($1)`,
    [ids],
  );
  const lost = ids.filter((id) => !rows.some((row) => Number(row.id) === id));
  if (lost.length > 0) throw runsLost(last, lost);
  const chain = [by ?? null, ...ids];
  const other = rows.find((row) => !chain.includes(row.by));
  if (other !== undefined) throw continuedBefore(Number(other.id), other.by);
  return readWritten(database, { ids });
}

/** The schemas in which these runs have written, under current names. */
export async function readWritten(
  database: Database,
  { ids }: Pick<WrittenRun, 'ids'>,
): Promise<ReadonlySet<string>> {
  const written = await queryEntries<{ schema: string }>(
    database,
    await readStateVersion(database),
    `SELECT DISTINCT schema FROM entries WHERE run = ANY ($1) AND outcome = 'written' AND NOT is_gone`,
    [ids],
  );
  return new Set(written.map(({ schema }) => schema));
}

function runsLost(last: number | undefined, lost: readonly number[]): TenantctlError {
  return new TenantctlError(
    'RUN_UNKNOWN',
    `The ledger no longer has ${listed(lost.map(String))}, which run ${last} has continued.`,
    {
      hint: 'Where these runs have written is not known. Find out with tenantctl exec, and select the others with --tenant.',
    },
  );
}

function continuedBefore(run: number, by: number | null): TenantctlError {
  return new TenantctlError('RUN_UNKNOWN', `Run ${run} was continued by run ${by}.`, {
    hint: `Continue that one: --resume ${by}. tenantctl runs show ${by} says how far it came.`,
  });
}
