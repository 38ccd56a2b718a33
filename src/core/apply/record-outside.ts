import type { PoolClient, QueryResult } from 'pg';
import { toDatabaseError } from '../../db/database-error.ts';
import { setAll } from '../../db/dead-client.ts';
import { BEGIN, ownSettings, setSearchPath } from '../../db/transaction.ts';
import type { Direction, Migration } from '../files/load.ts';
import { recordInLedger } from '../ledger/record-in-run.ts';
import { backoffMs, mayPass, pause } from '../run/retry.ts';
import { stampOf } from '../stamps/stamps.ts';
import { NO_INTENT, takeOwnIntent } from '../state/intents.ts';
import { forgetRepeatable } from '../state/scripts.ts';
import { ownSearchPath, selectTrusted } from '../target/control.ts';
import { readInvalidIndexes, selectInvalidNamed } from '../target/invalid-indexes.ts';
import { recordStep } from '../target/write-history.ts';
import type { TargetJob } from './assignment.ts';
import { moveToPublic, selectExtensionsIn, type Named } from './extensions.ts';
import { leftInvalid, notRecorded } from './outside-errors.ts';

/** A migration outside a transaction. */
export interface OutsideJob extends TargetJob {
  readonly begun: { readonly migration: string; readonly direction: Direction };
  readonly migration: Migration;
  readonly isLast: boolean;
  readonly lost: AbortSignal | undefined;
}

/** Begins the transaction of the record. The migration may have changed its session's settings. */
function beginRecord({ context, target }: OutsideJob): string[] {
  return [
    BEGIN,
    'RESET ROLE',
    setSearchPath(ownSearchPath(target)),
    ...setAll(ownSettings(context.database, context), 'LOCAL'),
  ];
}

/**
 * Looks at what the migration has left, in the transaction of the record.
 * @returns whether that transaction is still open
 * @throws TenantctlError MIGRATION_FAILED for an INVALID index; as moveToPublic does
 */
export async function lookAfter(
  outside: OutsideJob,
  client: PoolClient,
  texts: readonly string[],
): Promise<boolean> {
  const { context, target, begun } = outside;
  const looks = [
    selectExtensionsIn(target.schema),
    ...(begun.direction === 'up' ? selectInvalidNamed(target.schema, texts) : []),
  ];
  const opening = beginRecord(outside);
  const answers: unknown = await client.query([...opening, ...looks].join(';\n'));
  const found = (answers as QueryResult[]).slice(opening.length).map(({ rows }) => rows as unknown[]);
  const [extensions, invalid = []] = found as [Named[], Named[]?];
  if (invalid.length > 0) {
    const all = await readInvalidIndexes(client, [target.schema]);
    const left = all.filter((index) => invalid.some(({ name }) => name === index.name));
    if (left.length > 0) throw leftInvalid(target, begun.migration, left);
  }
  if (extensions.length === 0) return true;
  await client.query('COMMIT');
  await moveToPublic(context, client, extensions);
  return false;
}

/**
 * Records the migration and deletes its intent. Retries transient errors: the work is done.
 * @param isBegun whether the transaction has begun
 */
export async function record(
  outside: OutsideJob,
  client: PoolClient,
  durationMs: number,
  isBegun: boolean,
): Promise<void> {
  const { context, target, begun } = outside;
  for (let tries = 1; ; tries += 1) {
    try {
      const opening = isBegun && tries === 1 ? [] : beginRecord(outside);
      await client.query([...opening, ...recordStatements(outside, durationMs), 'COMMIT'].join(';\n'));
      return;
    } catch (thrown) {
      const error = toDatabaseError(thrown);
      await client.query('ROLLBACK').catch(() => {});
      if (error.sqlstate === NO_INTENT)
        throw notRecorded(target, begun, 'somebody else has resolved it in the meantime', error);
      const isLast = tries > context.retries || context.database.isCancelled || error.sqlstate === undefined;
      if (isLast || !mayPass(error)) throw notRecorded(target, begun, error.message, error);
      await pause(backoffMs(tries, Math.random), outside.lost);
    }
  }
}

function recordStatements(outside: OutsideJob, durationMs: number): string[] {
  const { context, target, assignment, progress, isLast } = outside;
  const { migration, direction } = outside.begun;
  const { batch } = progress;
  return [
    ...selectTrusted(target),
    takeOwnIntent(target.schema),
    recordStep(target, direction, migration, batch),
    ...(target.scope === 'tenants' ? [forgetRepeatable(target.schema)] : []),
    ...recordInLedger(context.run?.id, target, { direction, names: [migration], batch, durationMs }),
    // A later segment would undo the stamp.
    ...(isLast ? [...stampOf(target), ...(assignment.closing ?? [])] : []),
  ];
}
