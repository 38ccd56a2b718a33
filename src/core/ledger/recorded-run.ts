import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolClient } from 'pg';
import type { Database, LeaseShare } from '../../db/database.ts';
import { isConnectionLoss } from '../../db/database-error.ts';
import { takeLease } from '../../db/lease.ts';
import { messageOf, toTenantctlError, type TenantctlError } from '../../errors.ts';
import type { Observer } from '../report/event.ts';
import { processFacts } from './process-facts.ts';
import { pruneRuns } from './prune-runs.ts';

/** The commands whose runs are recorded; `migrate all` is recorded as its two parts. */
export type RunCommand =
  | 'migrate master'
  | 'migrate tenants'
  | 'rollback master'
  | 'rollback tenants'
  | 'tenant provision';

/** How many runs of a command are kept, and as many that found nothing to do. */
export const DEFAULT_KEPT_RUNS = 100;

/** What is known of a run when its command is called. */
export interface RunFacts {
  readonly command: RunCommand;
  /** What was asked for, as far as it is worth knowing later. */
  readonly options: Readonly<Record<string, unknown>>;
  /** How many runs of this command to keep in the ledger. */
  readonly keep: number | undefined;
  readonly observe: Observer;
}

/** How a run ended. */
export interface RunEnding {
  readonly outcome: 'done' | 'failed' | 'interrupted';
  readonly totals: Readonly<Record<string, number | undefined>>;
}

/** The run that is at work, as the ledger has it. */
export interface RecordedRun {
  /** Its number; undefined before it has begun. */
  readonly id: number | undefined;
  /**
   * Writes into the ledger that the run is at work, before it changes anything: until then it is none. Names of further
   * migrations are added when it is called again.
   */
  begin(planned: readonly string[]): Promise<void>;
  /** begin within a transaction that creates the ledger itself: with a rollback, it has not begun. */
  beginWithin(client: PoolClient, planned: readonly string[]): Promise<void>;
}

/** A run together with its ending. */
interface EndableRun extends RecordedRun {
  /** @returns the run's number; one that had nothing to do gets it only now */
  end(ending: RunEnding, error?: TenantctlError): Promise<number | undefined>;
  /** Ends this run's part in the lease, whatever became of the run. */
  release(): Promise<void>;
}

/** How often a run is started that loses its connection before it has begun: until then it has changed nothing. */
const STARTS = 3;

/** Milliseconds before it is started again. */
const AGAIN_MS = 500;

/**
 * Runs `use` when it is this call's turn, and keeps in the ledger what it has begun: who, from where, which migrations,
 * and how it ended. While it is at work it takes part in the lease, so that a run that has died is known as such.
 * @throws TenantctlError POOL_EXHAUSTED, DATABASE_CLOSED, as takeLease does, and what `use` throws
 */
export async function withRun<T extends object>(
  database: Database,
  facts: RunFacts,
  use: (run: RecordedRun) => Promise<T>,
  endingOf: (value: T) => RunEnding,
): Promise<T & { readonly run?: number }> {
  return database.inTurn(async () => {
    const run = createRun(database, facts);
    try {
      const value = await start(run, use);
      database.assertOpen();
      return numbered(value, await run.end(endingOf(value)));
    } catch (thrown) {
      const error = toTenantctlError(thrown);
      const outcome = error.code === 'INTERRUPTED' ? 'interrupted' : 'failed';
      if (run.id !== undefined) await run.end({ outcome, totals: {} }, error);
      database.assertOpen(thrown);
      throw thrown;
    } finally {
      await run.release();
    }
  });
}

async function start<T>(run: RecordedRun, use: (run: RecordedRun) => Promise<T>): Promise<T> {
  for (let starts = 1; ; starts += 1) {
    try {
      return await use(run);
    } catch (error) {
      if (starts === STARTS || run.id !== undefined || !isConnectionLoss(error)) throw error;
      await sleep(AGAIN_MS);
    }
  }
}

function numbered<T extends object>(value: T, id: number | undefined): T & { readonly run?: number } {
  return id === undefined ? value : { ...value, run: id };
}

function createRun(database: Database, facts: RunFacts): EndableRun {
  const planned = new Set<string>();
  let id: number | undefined;
  let lease: LeaseShare | undefined;
  const insert = async (connection: Pick<Database, 'query'>): Promise<void> => {
    const number = await nextNumber(connection);
    await connection.query(INSERT_RUN, [number, ...valuesOf(facts, planned), lease?.id ?? null]);
    id = number;
  };
  // The lock comes first: nobody sees the run without it.
  const begin = async (names: readonly string[], connection: Pick<Database, 'query'>): Promise<void> => {
    for (const name of names) planned.add(name);
    lease ??= await takeLease(database, connection);
    await insert(connection);
  };
  return {
    get id() {
      return id;
    },
    async begin(names) {
      if (id === undefined) await begin(names, database);
      else for (const name of names) planned.add(name);
    },
    beginWithin: (client, names) => begin(names, client),
    async end(ending, error) {
      try {
        const isIdle = id === undefined;
        if (isIdle) await insert(database);
        await database.query(
          `UPDATE tenantctl.runs
           SET ended_at = clock_timestamp(), outcome = $2, totals = $3, error = $4, planned = $5, is_idle = $6
           WHERE id = $1`,
          [
            id,
            ending.outcome,
            jsonOf(ending.totals),
            error === undefined ? null : jsonOf(error),
            [...planned],
            isIdle,
          ],
        );
        await pruneRuns(database, facts.command, facts.keep ?? DEFAULT_KEPT_RUNS);
      } catch (problem) {
        // Where there is no ledger, nothing was begun.
        if (!['3F000', '42P01'].includes(toTenantctlError(problem).sqlstate ?? '')) {
          facts.observe({
            type: 'warning',
            message: `The end of the run could not be recorded: ${messageOf(problem)}`,
          });
        }
      }
      return id;
    },
    async release() {
      await lease?.release();
    },
  };
}

const INSERT_RUN = `INSERT INTO tenantctl.runs (id, command, host, pid, version, planned, options, lease)
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`;

async function nextNumber(connection: Pick<Database, 'query'>): Promise<number> {
  const { rows } = await connection.query<{ id: string }>(`SELECT nextval('tenantctl.runs_id_seq') AS id`);
  return Number(rows[0]?.id);
}

function valuesOf({ command, options }: RunFacts, planned: ReadonlySet<string>): readonly unknown[] {
  const { host, pid, version } = processFacts();
  return [command, host, pid, version, [...planned], jsonOf(options)];
}

/** jsonb holds no NUL (https://www.postgresql.org/docs/current/datatype-json.html). */
function jsonOf(value: unknown): string {
  return JSON.stringify(value).replaceAll('\\u0000', '');
}
