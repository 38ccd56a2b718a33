import type { PoolClient } from 'pg';
import { toDatabaseError } from '../../db/database-error.ts';
import { setAll } from '../../db/dead-client.ts';
import { BEGIN, withClient } from '../../db/transaction.ts';
import type { InvalidIndex } from '../../errors.ts';
import type { RunContext } from '../run/run-context.ts';
import { namedIn, readInvalidIndexes } from '../target/invalid-indexes.ts';
import { backoffMs, mayPass, pause } from '../run/retry.ts';
import { recordInLedger } from '../ledger/record-in-run.ts';
import { runAction } from './action.ts';
import type { Assignment, Progress } from './assignment.ts';
import { handOver, takeOver } from '../target/hand-over.ts';
import type { Migration } from '../files/load.ts';
import { leftInvalid, lockLost, notRecorded, outsideFailure } from './outside-errors.ts';
import type { Step } from '../plan/plan.ts';
import { recordStep } from '../target/record.ts';
import { patientSender } from './statement-patience.ts';
import type { Target } from '../target/target.ts';
import { stampOf } from '../stamps/stamps.ts';
import { deleteOwnIntent, insertIntent } from '../state/intents.ts';

/** One migration that runs outside a transaction. */
export interface OutsideStep {
  readonly context: RunContext;
  readonly target: Target;
  readonly assignment: Assignment;
  readonly progress: Progress;
  readonly step: Step;
  readonly migration: Migration;
  /** Nothing comes after it. */
  readonly isLast: boolean;
  /** Aborted when the connection that holds the target's lock is gone: the work is stopped then. */
  readonly lost?: AbortSignal | undefined;
}

/**
 * One migration with no transaction around it, on a connection of its own, between its intent and its record. The
 * intent goes with the record, or with an answer of the server that says that the migration failed. It remains wherever
 * it is not known how that ended, or it could not be recorded.
 * @throws TenantctlError MIGRATION_FAILED where it failed; MIGRATION_INTERRUPTED where the intent remains
 */
export async function runOutside(outside: OutsideStep): Promise<void> {
  const { context, progress, step, lost } = outside;
  const database = await context.database.sessions();
  progress.isOutside = true;
  await withClient(database, async (client, spoil) => {
    const stop = () => void database.stop(client);
    lost?.addEventListener('abort', stop, { once: true });
    try {
      await perform(outside, client);
    } finally {
      lost?.removeEventListener('abort', stop);
      await client.query('DISCARD ALL').catch(spoil);
    }
  }).catch((error: unknown) => {
    throw lost?.aborted === true
      ? lockLost(outside.target, step, outside.assignment.direction, error)
      : error;
  });
  progress.isOutside = false;
  progress.done.push(step.name);
}

async function perform(outside: OutsideStep, client: PoolClient): Promise<void> {
  const { context, target, assignment, progress, step, migration } = outside;
  const { direction } = assignment;
  const started = Date.now();
  await client.query(
    [
      ...setAll(settingsOf(context), 'SESSION'),
      insertIntent({
        schema: target.schema,
        migration: step.name,
        direction,
        batch: progress.batch,
        run: context.run?.id,
      }),
      ...handOver(target).map((statement) => statement.replace('SET LOCAL', 'SET')),
    ].join(';\n'),
  );
  const texts: string[] = [];
  try {
    await runAction(client, context.knex, migration, {
      target,
      direction,
      onStatement: ({ text }) => texts.push(text),
      around: patientSender(client, context.lockTimeoutMs, outside.lost),
    });
    // A migration may have made nothing of a statement that was cancelled.
    outside.lost?.throwIfAborted();
    if (direction === 'up') {
      const invalid = namedIn(await readInvalidIndexes(client, [target.schema]), texts);
      if (invalid.length > 0) throw leftInvalid(target, step, invalid);
    }
  } catch (error) {
    await client.query(['ROLLBACK', 'RESET ROLE'].join(';\n')).catch(() => {});
    const invalid: InvalidIndex[] = await readInvalidIndexes(client, [target.schema]).catch(() => []);
    // The server has answered, so what happened is known: the intent goes, and the error tells.
    if (outside.lost?.aborted !== true) await client.query(deleteOwnIntent(target.schema)).catch(() => {});
    throw outsideFailure(error, step, invalid);
  }
  await record(outside, client, Date.now() - started);
}

/** What the connection is set to, whatever its role or database say; DISCARD ALL takes it back. */
function settingsOf({ database, lockTimeoutMs, statementTimeoutMs }: RunContext): Record<string, number> {
  return {
    ...database.deadClientSettings,
    lock_timeout: lockTimeoutMs,
    ...(statementTimeoutMs !== undefined && { statement_timeout: statementTimeoutMs }),
  };
}

/** Writes that the migration was run, and takes its intent away. What may pass is tried again: the deed is done. */
async function record(outside: OutsideStep, client: PoolClient, durationMs: number): Promise<void> {
  const { context, target, step } = outside;
  for (let tries = 1; ; tries += 1) {
    try {
      await recordOnce(outside, client, durationMs);
      return;
    } catch (thrown) {
      const error = toDatabaseError(thrown);
      await client.query('ROLLBACK').catch(() => {});
      const isLast = tries > context.retries || context.database.isCancelled || error.sqlstate === undefined;
      if (isLast || !mayPass(error)) throw notRecorded(target, step, outside.assignment.direction, error);
      await pause(backoffMs(tries, Math.random), outside.lost);
    }
  }
}

async function recordOnce(outside: OutsideStep, client: PoolClient, durationMs: number): Promise<void> {
  const { context, target, assignment, progress, step, isLast } = outside;
  const { direction } = assignment;
  // The migration may have set its session otherwise.
  await client.query([BEGIN, ...takeOver(target), ...setAll(settingsOf(context), 'LOCAL')].join(';\n'));
  const { rowCount } = await client.query(deleteOwnIntent(target.schema));
  if (rowCount !== 1) throw new Error('somebody else has resolved it in the meantime');
  await client.query(
    [
      recordStep(target, direction, step.name, progress.batch),
      ...recordInLedger(context.run?.id, target, {
        direction,
        names: [step.name],
        batch: progress.batch,
        durationMs,
      }),
      ...stampOf(target),
      ...(isLast ? (assignment.closing ?? []) : []),
      'COMMIT',
    ].join(';\n'),
  );
}
