import type { PoolClient } from 'pg';
import { startStopwatch } from '../../stopwatch.ts';
import { poolTooSmall } from '../../db/connections.ts';
import { isLoss, toDatabaseError } from '../../db/database-error.ts';
import { setAll } from '../../db/dead-client.ts';
import { CLEAN_SESSION, ownSettings, withClient } from '../../db/transaction.ts';
import type { InvalidIndex } from '../../errors.ts';
import { runsInTransaction, type Direction } from '../files/load.ts';
import type { Step } from '../plan/plan.ts';
import { traitsOf, type RunContext } from '../run/run-context.ts';
import { keepSchemasHere } from '../guard/on-nodes.ts';
import { deleteOwnIntent, insertIntent } from '../state/intents.ts';
import { giveControl } from '../target/control.ts';
import { readInvalidIndexes } from '../target/invalid-indexes.ts';
import { runAction } from './action.ts';
import type { TargetJob } from './assignment.ts';
import { connectionLostOutside, lockLost, outsideFailure, poolerInBetween } from './outside-errors.ts';
import { lookAfter, record, type OutsideJob } from './record-outside.ts';
import type { Segment } from './segment.ts';
import { patientSender } from './statement-patience.ts';

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
 * Runs a segment outside a transaction, one migration after the other, on its own connection. A migration's intent is
 * deleted with the record, or once the server has reported failure. It stays if the outcome is unknown or could not
 * be recorded.
 * @param lost aborted when the connection that holds the target's lock is lost: stops the migration
 * @returns false if the lock was lost, or the session could not be reset, before the last of them began
 * @throws TenantctlError MIGRATION_FAILED if one failed; MIGRATION_INTERRUPTED if its intent stays
 */
export async function runOutside(job: TargetJob, segment: Segment, lost?: AbortSignal): Promise<boolean> {
  const { progress, assignment } = job;
  const { direction } = assignment;
  const database = await job.context.database.sessions();
  let begun: OutsideJob['begun'] | undefined;
  let isClean = true;
  const runAll = async (client: PoolClient, spoil: () => void): Promise<boolean> => {
    for (const [at, step] of segment.steps.entries()) {
      const migration = segment.migrations[at];
      if (migration === undefined || lost?.aborted === true || !isClean) return false;
      begun = { migration: step.name, direction };
      progress.isOutside = true;
      const isLastStep = at === segment.steps.length - 1;
      const outside = { ...job, begun, migration, isLast: segment.isLast && isLastStep, lost };
      try {
        await perform(outside, client);
        progress.isOutside = false;
        progress.isCommitted = true;
        progress.names.push(step.name);
      } finally {
        // DISCARD ALL would also discard the plans of tenantctl's routines.
        await client.query(CLEAN_SESSION.join(';\n')).catch(() => {
          isClean = false;
          spoil();
        });
      }
    }
    return true;
  };
  const work = async (client: PoolClient, spoil: () => void): Promise<boolean> => {
    const stop = () => void database.stop(client);
    lost?.addEventListener('abort', stop, { once: true });
    return runAll(client, spoil).finally(() => lost?.removeEventListener('abort', stop));
  };
  return withClient(database, work, { purpose: 'aside' }).catch((error: unknown) => {
    if (begun === undefined || progress.isOutside !== true) throw error;
    if (lost?.aborted === true) throw lockLost(job.target, begun, error);
    throw isLoss(error) ? connectionLostOutside(job.target, begun, toDatabaseError(error)) : error;
  });
}

async function perform(outside: OutsideJob, client: PoolClient): Promise<void> {
  const { context, target, progress, begun, migration } = outside;
  const { direction } = begun;
  const elapsedMs = startStopwatch();
  await client.query(
    [
      ...setAll(ownSettings(context.database, context), 'SESSION'),
      // Whatever the migration leaves on disk is behind its intent in the write-ahead log: no wait for this commit.
      'SET LOCAL synchronous_commit = off',
      insertIntent({ ...begun, schema: target.schema, batch: progress.batch, run: context.run?.id }),
      ...[...giveControl(target), ...keepSchemasHere(context.database, target)].map((statement) =>
        statement.replace('SET LOCAL', 'SET'),
      ),
    ].join(';\n'),
  );
  const texts: string[] = [];
  let isBegun: boolean;
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
    isBegun = await lookAfter(outside, client, texts);
  } catch (error) {
    if (isLoss(error)) throw error;
    await client.query('ROLLBACK; RESET ROLE').catch(() => {});
    const invalid: InvalidIndex[] = await readInvalidIndexes(client, [target.schema]).catch(() => []);
    // The server has answered, so the outcome is known.
    if (outside.lost?.aborted !== true) await client.query(deleteOwnIntent(target.schema)).catch(() => {});
    throw outsideFailure(error, begun.migration, invalid);
  }
  await record(outside, client, elapsedMs(), isBegun);
}
