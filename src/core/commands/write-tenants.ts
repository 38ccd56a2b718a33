import type { Database } from '../../db/database.ts';
import type { Script } from '../apply/assignment.ts';
import { recordWritten } from '../ledger/record-in-run.ts';
import { endingOf } from '../ledger/recorded-run.ts';
import { findWritten, takeOverWritten } from '../ledger/written-runs.ts';
import { checkCall } from '../options/check-call.ts';
import { NOTHING } from '../plan/plan.ts';
import type { FleetResult } from '../report/results.ts';
import { tenantId } from '../state/tenant-ids.ts';
import { inRun, type CommandRun } from './in-run.ts';
import { serveScript, withLoaded, type ScriptOptions, type ScriptWork } from './serve-script.ts';
import { planOf, recordedSql, sqlScript, type SqlOptions, type SqlScript } from './sql-script.ts';

export interface WriteTenantsOptions extends SqlOptions, ScriptOptions {
  /**
   * Continue this run, or the newest run of `writeTenants`: only in tenants in which it, and those that it has
   * continued, have not written.
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
  return writeInRun(database, given, script, {});
}

/** Runs a script under a run of `exec`. */
export async function writeInRun(
  database: Database,
  given: WriteTenantsOptions,
  { migration }: SqlScript,
  more: Pick<ScriptWork, 'apply'> & Pick<Script, 'isRepeated'>,
): Promise<FleetResult> {
  const resumed = given.resume === undefined ? undefined : await findWritten(database, given.resume);
  const plan = planOf(migration);
  const options = { ...given, resumes: resumed?.ids };
  return inRun(database, 'exec', options, endingOf, async (commandRun) => {
    const { run, observe } = commandRun;
    let written: ReadonlySet<string> = new Set();
    const prepare = async () => {
      if (resumed === undefined) return;
      if (recordedSql(database, given).sqlDigest !== resumed.sqlDigest)
        observe({ type: 'warning', message: `The SQL is not that of run ${resumed.ids[0]}.` });
      await run.begin([]);
      written = await takeOverWritten(database, resumed, run.id);
    };
    const context = withLoaded(commandRun.context, [migration]);
    return serveScript(
      { ...commandRun, context },
      {
        command: 'exec',
        script: { ...ledgerScript(run), isRepeated: more.isRepeated },
        prepare,
        decide: ({ schema }) => (written.has(schema) ? NOTHING : plan),
        apply: more.apply,
      },
    );
  });
}

/** A script of which only the ledger knows where it was run. */
function ledgerScript(run: CommandRun<unknown>['run']): Script {
  return {
    outcome: 'written',
    record: (target) => recordWritten(run.id, target),
    // It reads all entries of the run.
    isDone: ({ schema }, mayBeCommitted) =>
      mayBeCommitted
        ? `EXISTS (SELECT FROM tenantctl.run_tenants WHERE run = ${run.id ?? 0} AND tenant = ${tenantId(schema)} AND outcome = 'written')`
        : undefined,
  };
}
