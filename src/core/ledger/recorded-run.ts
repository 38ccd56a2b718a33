import type { PoolClient } from 'pg';
import { takeLease, type Lease } from '../../db/lease.ts';
import { messageOf, toTenantctlError, type TenantctlError } from '../../errors.ts';
import type { Observer } from '../report/event.ts';
import { lockOfRun } from './at-work.ts';
import { processFacts } from './process-facts.ts';
import { pruneRuns } from './prune-runs.ts';
import type { Database } from '../../db/database.ts';

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
}

/**
 * Runs `use`, and keeps in the ledger what it has begun: who, from where, which migrations, and how it ended. While it is
 * at work it holds a lock, so that one that has died is known as such.
 */
export async function withRun<T extends object>(
  database: Database,
  facts: RunFacts,
  use: (run: RecordedRun) => Promise<T>,
  endingOf: (value: T) => RunEnding,
): Promise<T & { readonly run?: number }> {
  const run = createRun(database, facts);
  let value: T;
  try {
    value = await use(run);
  } catch (thrown) {
    const error = toTenantctlError(thrown);
    const outcome = error.code === 'INTERRUPTED' ? 'interrupted' : 'failed';
    if (run.id !== undefined) await run.end({ outcome, totals: {} }, error);
    throw thrown;
  }
  return numbered(value, await run.end(endingOf(value)));
}

function numbered<T extends object>(value: T, id: number | undefined): T & { readonly run?: number } {
  return id === undefined ? value : { ...value, run: id };
}

function createRun(database: Database, facts: RunFacts): EndableRun {
  const planned = new Set<string>();
  let id: number | undefined;
  let lease: Lease | undefined;
  const hold = async (number: number, beside: Pick<Database, 'query'>) => {
    // All connections of an embedded database are one session, which a second transaction would wait for.
    if (database.sharedSession) return;
    await lease?.release();
    lease = await takeLease(database, lockOfRun(number), beside);
  };
  return {
    get id() {
      return id;
    },
    async begin(names) {
      for (const name of names) planned.add(name);
      if (id !== undefined) return;
      const number = await nextNumber(database);
      // The lock comes first: nobody sees the run without it.
      await hold(number, database);
      await database.query(INSERT_RUN, [number, ...valuesOf(facts, planned)]);
      id = number;
    },
    async beginWithin(client, names) {
      for (const name of names) planned.add(name);
      const number = await nextNumber(client);
      await hold(number, client);
      await client.query(INSERT_RUN, [number, ...valuesOf(facts, planned)]);
      id = number;
    },
    async end(ending, error) {
      try {
        const isIdle = id === undefined;
        if (id === undefined) {
          const number = await nextNumber(database);
          await database.query(INSERT_RUN, [number, ...valuesOf(facts, planned)]);
          id = number;
        }
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
      } finally {
        await lease?.release();
      }
      return id;
    },
  };
}

const INSERT_RUN = `INSERT INTO tenantctl.runs (id, command, host, pid, version, planned, options)
                    VALUES ($1, $2, $3, $4, $5, $6, $7)`;

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
