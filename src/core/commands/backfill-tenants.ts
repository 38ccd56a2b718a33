import type { QueryResult } from 'pg';
import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import type { Applied } from '../apply/assignment.ts';
import { checkCall } from '../options/check-call.ts';
import { silent, type Observer } from '../report/event.ts';
import type { FleetResult, TenantResult } from '../report/results.ts';
import { backoffMs, mayPass, pause } from '../run/retry.ts';
import { isStopped, type RunContext } from '../run/run-context.ts';
import { whySkipped } from '../serve/session.ts';
import type { Attempt, Task } from '../serve/work.ts';
import { createPace, type Pace, type PaceOptions } from './batch-pace.ts';
import { examineBatch, rowsChanged } from './batch-sql.ts';
import type { Once } from './serve-data-change.ts';
import { sqlScript } from './sql-script.ts';
import { writeInRun, type WriteTenantsOptions } from './write-tenants.ts';

export interface BackfillTenantsOptions extends Omit<WriteTenantsOptions, 'compile'>, PaceOptions {
  /** A tenant that has not reached 0 rows after so many batches fails; 10,000 if absent. */
  readonly maxBatches?: number | undefined;
}

/** What batches have changed. */
export interface Changed {
  readonly rows: number;
  /** Without the last one, which changes nothing. */
  readonly batches: number;
}

export interface BackfillResult extends FleetResult {
  readonly totals: FleetResult['totals'] & Changed;
  readonly tenants: readonly (TenantResult & Changed)[];
}

const MAX_BATCHES = 10_000;

/**
 * Repeats SQL in every selected tenant, each time in a transaction of its own, until it reports 0 changed rows: by the
 * command tag of its last statement, or by the only number that a SELECT returns. Otherwise as `writeTenants`. Between
 * two batches a tenant's lock is free, and a migration may come in between. A tenant that is finished has an entry in
 * the ledger.
 * @throws TenantctlError as writeTenants; USAGE for SQL that does not report how many rows it changes
 */
export async function backfillTenants(
  database: Database,
  given: BackfillTenantsOptions,
): Promise<BackfillResult> {
  const options = checkCall(database, given, 'sql');
  const script = await sqlScript(options);
  const warning = await examineBatch(script.statements);
  const { observe = silent, maxBatches = MAX_BATCHES, batchPauseMs, rowsPerSecond } = options;
  if (warning !== undefined) observe({ type: 'warning', message: warning });
  const tenants = new Map<string, Batches>();
  const ofTenant = ({ schema }: { readonly schema: string }): Batches => {
    const batches = tenants.get(schema) ?? { rows: 0, batches: 0, last: undefined, gapAt: performance.now() };
    tenants.set(schema, batches);
    return batches;
  };
  const total = { rows: 0, batches: 0 };
  const backfill = { pace: createPace(options, options.signal), maxBatches, total };
  const withChanged = (result: FleetResult): BackfillResult => ({
    ...result,
    totals: { ...result.totals, ...total },
    tenants: result.tenants.map((tenant) => {
      const { rows, batches } = ofTenant(tenant);
      return { ...tenant, rows, batches };
    }),
  });
  return writeInRun(database, options, script, {
    isRepeated: true,
    recorded: { batch: true, batchPauseMs, rowsPerSecond, maxBatches: options.maxBatches },
    isFinished: (target) => ofTenant(target).last === 0,
    repeat: (run, task, once) => repeat({ ...backfill, ...run }, ofTenant(task.tenant), task, once),
    finish: withChanged,
  });
}

/** The batches of one tenant. */
interface Batches {
  rows: number;
  batches: number;
  /** Rows changed by the batch at work. */
  last: number | undefined;
  gapAt: number;
}

interface Backfill {
  readonly context: RunContext;
  readonly pace: Pace;
  readonly maxBatches: number;
  readonly observe: Observer;
  readonly total: { rows: number; batches: number };
}

/** Runs batches in a tenant until one changes no rows, the run is stopped, or another run has the tenant. */
async function repeat(
  { context, pace, maxBatches, observe, total }: Backfill,
  tenant: Batches,
  task: Task,
  once: Once,
): Promise<Attempt<Applied>> {
  for (let tries = 0; ;) {
    await pace.next(tenant);
    await context.throttle?.ready();
    if (isStopped(context)) return { kind: 'skipped', reason: whySkipped(context) };
    const attempt = await once(async (_text, send) => {
      const answer = await send();
      tenant.last = rowsChanged(answer as QueryResult | QueryResult[]);
      return answer;
    });
    if (attempt.kind === 'failed') {
      const { error, mayRepeat } = attempt;
      if (context.database.isCancelled || !mayRepeat || !mayPass(error)) return attempt;
      // The retries of a run count for each batch here: a tenant may have thousands.
      if (tries >= context.retries) return { ...attempt, mayRepeat: false };
      tries += 1;
      observe({ type: 'retry', tenant: task.tenant, error, tries });
      await pause(backoffMs(tries, Math.random), context.signal);
      continue;
    }
    if (attempt.kind !== 'done' || tenant.last === undefined || tenant.last === 0) return attempt;
    tries = 0;
    const rows = tenant.last;
    tenant.rows += rows;
    tenant.batches += 1;
    total.rows += rows;
    total.batches += 1;
    pace.changed(rows);
    observe({ type: 'batch', tenant: task.tenant, rows, total: { ...total } });
    if (tenant.batches >= maxBatches)
      return { kind: 'failed', error: tooMany(task, tenant), mayRepeat: false, done: attempt.done };
  }
}

function tooMany({ tenant: { clerkOrgId } }: Task, { batches, rows }: Changed): TenantctlError {
  return new TenantctlError(
    'BATCH_LIMIT',
    `After ${batches} batches, which changed ${rows} rows, there is more to do.`,
    {
      tenant: clerkOrgId,
      hint: 'What the batches did stays. If they change the same rows again and again, let the SQL leave out the rows that are done. If there is really more to do, run the command again, with a higher --max-batches.',
    },
  );
}
