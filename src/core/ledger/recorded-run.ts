import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolClient } from 'pg';
import type { Database, LeaseShare } from '../../db/database.ts';
import { isLoss } from '../../db/database-error.ts';
import { takeLease } from '../../db/lease.ts';
import { messageOf, TenantctlError, toTenantctlError } from '../../errors.ts';
import { startStopwatch } from '../../stopwatch.ts';
import { observeRun, type Observer } from '../report/event.ts';
import type { FleetResult } from '../report/results.ts';
import type { RunEnding } from './run-ending.ts';
import { END_RUN, insertRun, jsonOf, pruneRuns, type RunHead } from './run-rows.ts';

/** Runs kept per command; as many runs with nothing to do are kept as well. */
const KEPT_RUNS = 100;

/** Deleting costs more than recording a run: there may be a tenth more runs than are kept, before it is done. */
const SURPLUS = 1.1;

interface RunFacts extends RunHead {
  /** How many runs of this command the ledger keeps. */
  readonly keep: number | undefined;
  readonly observe: Observer;
}

export function endingOf({ tenants, totals, interrupted }: FleetResult): RunEnding {
  // Asked for by name and not ACTIVE: such a tenant has an error, too.
  const hasFailed = tenants.some(({ error }) => error !== undefined);
  return { outcome: hasFailed ? 'failed' : interrupted ? 'interrupted' : 'done', totals };
}

/** The active run as recorded in the ledger. */
export interface RecordedRun {
  /** Undefined before it has begun. */
  readonly id: number | undefined;
  /**
   * Records the run before it changes anything. Further calls add migrations.
   * @param client of a transaction that creates the ledger: if it is rolled back, the run has not begun
   */
  begin(planned: readonly string[], client?: PoolClient): Promise<void>;
  /** Takes the lease ahead of `begin`, while the caller does other things. Does not reject: `begin` tries again. */
  prepare(): Promise<void>;
  /**
   * Begins a prepared run in the round trip of `one`, if `condition` holds in SQL. Does not reject: call `begin` before
   * anything is changed, which begins it if this did not.
   */
  beginIf(condition: string, planned: readonly string[], one: Pick<Database, 'query'>): Promise<void>;
}

interface EndableRun extends RecordedRun {
  /** @returns the run's number; a run with nothing to do gets it only now */
  end(ending: RunEnding, error?: TenantctlError): Promise<number | undefined>;
  /** Leaves the lease, whatever the outcome. */
  release(): Promise<void>;
}

/** How often to start a run that loses its connection before it begins, when nothing has been changed. */
const STARTS = 3;

/** Milliseconds before the next start. */
const AGAIN_MS = 500;

/**
 * Runs `use` in the database's turn and records the run, under a lease so that others can tell if it died.
 * @throws TenantctlError POOL_EXHAUSTED, DATABASE_CLOSED, what takeLease throws, and what `use` throws
 */
export async function withRun<T extends object>(
  database: Database,
  facts: RunFacts,
  use: (run: RecordedRun) => Promise<T>,
  endingOf: (value: T) => RunEnding,
): Promise<T & { readonly run?: number }> {
  return database.inTurn(async () => {
    const run = createRun(database, facts);
    const elapsedMs = startStopwatch();
    const ended = ({ outcome, totals }: RunEnding, error?: TenantctlError) => {
      const { command } = facts;
      const durationMs = elapsedMs();
      observeRun(facts.observe, run)({ type: 'ended', command, outcome, totals, durationMs, error });
    };
    try {
      const value = await start(run, use);
      database.assertOpen();
      const ending = endingOf(value);
      const id = await run.end(ending);
      ended(ending);
      return id === undefined ? value : { ...value, run: id };
    } catch (thrown) {
      const error = toTenantctlError(thrown);
      const ending = {
        outcome: error.code === 'INTERRUPTED' ? 'interrupted' : 'failed',
        totals: {},
      } as const;
      if (run.id !== undefined) await run.end(ending, error);
      ended(ending, error);
      database.assertOpen(thrown);
      throw run.id !== undefined && thrown instanceof TenantctlError ? thrown.with({ run: run.id }) : thrown;
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
      if (starts === STARTS || run.id !== undefined || !isLoss(error)) throw error;
      await sleep(AGAIN_MS);
    }
  }
}

function createRun(database: Database, facts: RunFacts): EndableRun {
  const planned = new Set<string>();
  let id: number | undefined;
  let lease: LeaseShare | undefined;
  let preparing: Promise<LeaseShare | undefined> | undefined;
  const insert = async (connection: Pick<Database, 'query'>): Promise<void> => {
    id = await insertRun(connection, facts, [...planned], lease?.id);
  };
  return {
    get id() {
      return id;
    },
    async begin(names, client) {
      for (const name of names) planned.add(name);
      if (id !== undefined && client === undefined) return;
      // Lock first: a run must never be visible without it.
      lease ??= await takeLease(database, client ?? database);
      await insert(client ?? database);
      observeRun(facts.observe, { id })({ type: 'started', command: facts.command });
    },
    async prepare() {
      // A pooler may have one connection only, which the caller needs.
      if (!database.hasSessions) return;
      preparing ??= takeLease(database, database).catch(() => undefined);
      lease = await preparing;
    },
    async beginIf(condition, names, one) {
      const isPrepared = lease !== undefined || !database.hasParallelSessions;
      if (id !== undefined || !isPrepared) return;
      id = await insertRun(one, facts, names, lease?.id, condition).catch(() => undefined);
      if (id !== undefined) for (const name of names) planned.add(name);
    },
    async end({ outcome, totals, notices = [] }, error) {
      try {
        const isIdle = id === undefined;
        if (isIdle) await insert(database);
        const ending = [
          id,
          outcome,
          jsonOf(totals),
          error === undefined ? null : jsonOf(error),
          [...planned],
          isIdle,
          jsonOf(notices.length === 0 ? {} : { notices }),
        ];
        const { rows } = await database.query<{ others: number }>(END_RUN, ending);
        const keep = Math.max(1, facts.keep ?? KEPT_RUNS);
        if ((rows[0]?.others ?? 0) >= Math.floor(keep * SURPLUS))
          await pruneRuns(database, facts.command, keep);
      } catch (problem) {
        // If there is no ledger, nothing was started.
        if (!['3F000', '42P01'].includes(toTenantctlError(problem).sqlstate ?? '')) {
          const message = `The end of the run could not be recorded: ${messageOf(problem)}`;
          facts.observe({ type: 'warning', message });
        }
      }
      return id;
    },
    async release() {
      await preparing;
      await lease?.release();
    },
  };
}
