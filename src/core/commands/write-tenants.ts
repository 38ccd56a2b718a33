import type { Database } from '../../db/database.ts';
import { literal, qualified } from '../../db/sql.ts';
import type { DataChange } from '../apply/assignment.ts';
import { recordWritten } from '../ledger/record-in-run.ts';
import { endingOf } from '../ledger/recorded-run.ts';
import { findWritten, takeOverWritten } from '../ledger/written-runs.ts';
import { checkCall } from '../options/check-call.ts';
import { NOTHING } from '../plan/plan.ts';
import type { FleetResult } from '../report/results.ts';
import { tenantId } from '../state/tenant-ids.ts';
import type { Target } from '../target/target.ts';
import { inRun, type CommandRun } from './in-run.ts';
import {
  serveDataChange,
  withLoaded,
  type DataChangeOptions,
  type DataChangeWork,
} from './serve-data-change.ts';
import { planOf, recordedSql, sqlScript, type SqlOptions, type SqlScript } from './sql-script.ts';

export interface WriteTenantsOptions extends SqlOptions, DataChangeOptions {
  /**
   * Continue this run, or the newest one with this SQL: only in tenants in which it, and those that it has continued,
   * have not written. SQL that was corrected needs the number.
   */
  readonly resume?: number | 'latest' | undefined;
}

/**
 * Runs SQL in every selected ACTIVE tenant, each in a transaction of its own, as migrateTenants runs a migration: under
 * the tenant's lock, with its search path and role, guarded, retried, and recorded in the ledger with the transaction.
 * The history is left alone. `include` adds tenants with other statuses.
 * @throws TenantctlError USAGE for SQL that does not parse or cannot run in a transaction; RUN_UNKNOWN or RUN_AT_WORK
 *   for a run that cannot be continued; what migrateTenants throws. A tenant's failure is in the result instead
 */
export async function writeTenants(database: Database, given: WriteTenantsOptions): Promise<FleetResult> {
  const script = await sqlScript(checkCall(database, given, 'sql'));
  return writeInRun(database, given, script, { finish: (result) => result });
}

interface Repeated extends Pick<DataChangeWork, 'repeat'>, Pick<DataChange, 'isRepeated'> {
  /** Whether the transaction at work has found nothing left to do; true if absent. */
  readonly isFinished?: (target: Target) => boolean;
  /** More options to record. */
  readonly recorded?: Readonly<Record<string, unknown>>;
}

/** Runs SQL as a data change, recorded as a run of `exec`. @param finish makes the result */
export async function writeInRun<Result extends FleetResult>(
  database: Database,
  given: WriteTenantsOptions,
  { migration }: SqlScript,
  {
    repeat,
    isRepeated,
    isFinished,
    recorded,
    finish,
  }: Repeated & { readonly finish: (result: FleetResult) => Result },
): Promise<Result> {
  const sql = recordedSql(database, given);
  const resumed =
    given.resume === undefined ? undefined : await findWritten(database, given.resume, sql.sqlDigest);
  const plan = planOf(migration);
  const asked = {
    ...sql,
    allowOutside: given.allowOutside,
    resumes: resumed?.ids,
    ...recorded,
  };
  const options = { ...given, recorded: asked };
  return inRun(database, 'exec', options, endingOf, async (commandRun) => {
    const { run, observe } = commandRun;
    let written: ReadonlySet<string> = new Set();
    const prepare = async () => {
      if (resumed === undefined) return;
      if (asked.sqlDigest !== resumed.sqlDigest)
        observe({ type: 'warning', message: `The SQL is not that of run ${resumed.ids[0]}.` });
      await run.begin([]);
      written = await takeOverWritten(database, resumed, run.id);
    };
    const context = withLoaded(commandRun.context, [migration]);
    const result = await serveDataChange(
      { ...commandRun, context },
      {
        command: 'exec',
        dataChange: { ...ledgerRecords(run, isFinished), isRepeated },
        prepare,
        decide: ({ schema }) => (written.has(schema) ? NOTHING : plan),
        repeat,
      },
    );
    return finish(result);
  });
}

/** What only the ledger records of a data change. */
function ledgerRecords(run: CommandRun<unknown>['run'], isFinished: Repeated['isFinished']): DataChange {
  return {
    outcome: 'written',
    // A migration that drops its history, or its schema, fails at its own row there.
    record: (target) => [
      `SELECT ${literal(qualified(target.schema, target.historyTable))}::regclass`,
      ...(isFinished?.(target) === false ? [] : recordWritten(run.id, target)),
    ],
    // It reads all entries of the run.
    isDone: ({ schema }, mayBeCommitted) =>
      mayBeCommitted
        ? `EXISTS (SELECT FROM tenantctl.run_tenants WHERE run = ${run.id ?? 0} AND tenant = ${tenantId(schema)} AND outcome = 'written')`
        : undefined,
  };
}
