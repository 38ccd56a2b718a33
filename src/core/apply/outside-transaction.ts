import { startStopwatch } from '../../stopwatch.ts';
import type { PoolClient } from 'pg';
import { isLoss, toDatabaseError } from '../../db/database-error.ts';
import { setAll } from '../../db/dead-client.ts';
import { BEGIN, CLEAN_SESSION, ownSettings, withClient } from '../../db/transaction.ts';
import type { InvalidIndex } from '../../errors.ts';
import { traitsOf, type RunContext } from '../run/run-context.ts';
import { namedIn, readInvalidIndexes } from '../target/invalid-indexes.ts';
import { backoffMs, mayPass, pause } from '../run/retry.ts';
import { recordInLedger } from '../ledger/record-in-run.ts';
import { runAction } from './action.ts';
import { moveExtensions } from './extensions.ts';
import type { TargetJob } from './assignment.ts';
import { giveControl, regainControl } from '../target/control.ts';
import { runsInTransaction, type Direction, type Migration } from '../files/load.ts';
import { poolTooSmall } from '../../db/connections.ts';
import type { Step } from '../plan/plan.ts';
import {
  connectionLostOutside,
  leftInvalid,
  lockLost,
  notRecorded,
  outsideFailure,
  poolerInBetween,
} from './outside-errors.ts';
import type { Segment } from './segment.ts';
import { recordStep } from '../target/write-history.ts';
import { patientSender } from './statement-patience.ts';
import { stampOf } from '../stamps/stamps.ts';
import { deleteOwnIntent, insertIntent } from '../state/intents.ts';

interface OutsideJob extends TargetJob {
  readonly begun: { readonly migration: string; readonly direction: Direction };
  readonly migration: Migration;
  readonly isLast: boolean;
  readonly lost: AbortSignal | undefined;
}

/**
 * Refuses migrations that need a session before anything is done, rather than apply some of them.
 * @throws TenantctlError POOLER_UNSUPPORTED; CONCURRENCY_TOO_HIGH if the pool has no second connection
 */
export async function assertSessions(
  context: RunContext,
  steps: readonly Pick<Step, 'file'>[],
  direction: Direction,
): Promise<void> {
  const { database } = context;
  const migrations = await Promise.all(steps.map(({ file }) => traitsOf(context, file, direction)));
  const outside = migrations.find((migration) => !runsInTransaction(migration, direction));
  if (outside === undefined) return;
  if (!database.hasSessions) throw poolerInBetween(outside.file.name);
  if (!database.hasRoomAside) throw poolTooSmall('aside', database.max);
}

/**
 * Runs a segment outside a transaction, on its own connection. The intent is deleted with the record, or once
 * the server has reported failure. It stays if the outcome is unknown or could not be recorded.
 * @param lost aborted when the connection that holds the target's lock is lost: stops the migration
 * @throws TenantctlError MIGRATION_FAILED if it failed; MIGRATION_INTERRUPTED if the intent stays
 */
export async function runOutside(job: TargetJob, segment: Segment, lost?: AbortSignal): Promise<void> {
  const { context, target, assignment, progress } = job;
  const [step] = segment.steps;
  const [migration] = segment.migrations;
  if (step === undefined || migration === undefined) return;
  const begun = { migration: step.name, direction: assignment.direction };
  const outside = { ...job, begun, migration, isLast: segment.isLast, lost };
  const database = await context.database.sessions();
  progress.isOutside = true;
  const work = async (client: PoolClient, spoil: () => void): Promise<void> => {
    const stop = () => void database.stop(client);
    lost?.addEventListener('abort', stop, { once: true });
    try {
      await perform(outside, client);
    } finally {
      lost?.removeEventListener('abort', stop);
      // DISCARD ALL would also discard the plans of tenantctl's routines.
      await client.query(CLEAN_SESSION.join(';\n')).catch(spoil);
    }
  };
  await withClient(database, work, { purpose: 'aside' }).catch((error: unknown) => {
    if (lost?.aborted === true) throw lockLost(target, begun, error);
    throw isLoss(error) ? connectionLostOutside(target, begun, toDatabaseError(error)) : error;
  });
  progress.isOutside = false;
  progress.names.push(step.name);
}

async function perform(outside: OutsideJob, client: PoolClient): Promise<void> {
  const { context, target, progress, begun, migration } = outside;
  const { direction } = begun;
  const elapsedMs = startStopwatch();
  await client.query(
    [
      ...setAll(ownSettings(context.database, context), 'SESSION'),
      insertIntent({ ...begun, schema: target.schema, batch: progress.batch, run: context.run?.id }),
      ...giveControl(target).map((statement) => statement.replace('SET LOCAL', 'SET')),
    ].join(';\n'),
  );
  const texts: string[] = [];
  try {
    const finish = await runAction(client, context, migration, {
      target,
      direction,
      onStatement: ({ text }) => texts.push(text),
      around: patientSender(client, context.lockTimeoutMs, outside.lost),
    });
    // A migration may have caught the error of a cancelled statement.
    outside.lost?.throwIfAborted();
    finish();
    await client.query('RESET ROLE');
    await moveExtensions(context, client, target);
    if (direction === 'up') {
      const invalid = namedIn(await readInvalidIndexes(client, [target.schema]), texts);
      if (invalid.length > 0) throw leftInvalid(target, begun.migration, invalid);
    }
  } catch (error) {
    if (isLoss(error)) throw error;
    await client.query('ROLLBACK; RESET ROLE').catch(() => {});
    const invalid: InvalidIndex[] = await readInvalidIndexes(client, [target.schema]).catch(() => []);
    // The server has answered, so the outcome is known.
    if (outside.lost?.aborted !== true) await client.query(deleteOwnIntent(target.schema)).catch(() => {});
    throw outsideFailure(error, begun.migration, invalid);
  }
  await record(outside, client, elapsedMs());
}

/** Records the migration and deletes its intent. Retries transient errors: the work is done. */
async function record(outside: OutsideJob, client: PoolClient, durationMs: number): Promise<void> {
  const { context } = outside;
  for (let tries = 1; ; tries += 1) {
    try {
      await recordOnce(outside, client, durationMs);
      return;
    } catch (thrown) {
      const error = toDatabaseError(thrown);
      await client.query('ROLLBACK').catch(() => {});
      const isLast = tries > context.retries || context.database.isCancelled || error.sqlstate === undefined;
      if (isLast || !mayPass(error)) throw notRecorded(outside.target, outside.begun, error);
      await pause(backoffMs(tries, Math.random), outside.lost);
    }
  }
}

async function recordOnce(outside: OutsideJob, client: PoolClient, durationMs: number): Promise<void> {
  const { context, target, assignment, progress, isLast } = outside;
  const { migration, direction } = outside.begun;
  const { batch } = progress;
  // The migration may have changed its session's settings.
  await client.query(
    [BEGIN, ...regainControl(target), ...setAll(ownSettings(context.database, context), 'LOCAL')].join(';\n'),
  );
  const { rowCount } = await client.query(deleteOwnIntent(target.schema));
  if (rowCount !== 1) throw new Error('somebody else has resolved it in the meantime');
  await client.query(
    [
      recordStep(target, direction, migration, batch),
      ...recordInLedger(context.run?.id, target, { direction, names: [migration], batch, durationMs }),
      ...stampOf(target),
      ...(isLast ? (assignment.closing ?? []) : []),
      'COMMIT',
    ].join(';\n'),
  );
}
