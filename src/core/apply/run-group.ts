import type { PoolClient, QueryResult } from 'pg';
import type { OpenTransaction } from '../../db/transaction.ts';
import { MARK, toMark, type SchemaBefore, type Mark } from '../guard/before.ts';
import { assertWithinSchema, rememberBefore } from '../guard/guard.ts';
import type { Remembered } from '../guard/description.ts';
import { recordInLedger } from '../ledger/record-in-run.ts';
import { runAction } from './action.ts';
import type { TargetJob } from './assignment.ts';
import { giveControl, regainControlAtEnd, regainControl } from '../target/control.ts';
import { recordStep } from '../target/record.ts';
import type { Segment } from './segment.ts';
import { LOCK_ONLY } from './under-lock.ts';
import { stampOf } from '../stamps/stamps.ts';

/** What the guard is told of a tenant's transaction. */
interface Watch {
  readonly schemaBefore: SchemaBefore;
  readonly remembered: Remembered | undefined;
  /** One between any two migrations. */
  readonly marks: Mark[];
  /** Every statement that the migrations sent. */
  readonly texts: string[];
}

/**
 * Runs consecutive migrations in the open transaction and commits it together with the last one's record.
 * @param schemaBefore what a tenant's schema held before; absent for the master schema
 */
export async function runGroup(
  job: TargetJob,
  transaction: OpenTransaction,
  segment: Segment,
  schemaBefore: SchemaBefore | undefined,
): Promise<void> {
  const { context, target, assignment, progress } = job;
  const { steps, isLast } = segment;
  const names = steps.map((step) => step.name);
  let records: string[] = [];
  if (steps.length > 0) {
    const watch = schemaBefore && {
      schemaBefore,
      remembered: await rememberBefore(context, transaction.client, target),
      marks: [],
      texts: [],
    };
    records = await runAll(job, transaction.client, segment, watch);
    // What is checked at the end (a deferred constraint) may come from any of them.
    if (steps.length > 1) progress.atWork = names.join(', ');
    if (watch !== undefined) {
      await keepToSchema(job, transaction.client, segment, watch, records);
      records = [];
    }
    await assignment.beforeCommit?.(transaction.client);
  }
  await transaction.commitWith([
    ...regainControlAtEnd(target),
    ...records,
    ...recordInLedger(context.run?.id, target, {
      direction: assignment.direction,
      names,
      batch: progress.batch,
    }),
    ...stampOf(target),
    ...(isLast ? (assignment.closing ?? []) : []),
  ]);
  progress.atWork = undefined;
  progress.names.push(...names);
}

/** Runs the migrations one after the other. @returns the statements that record the last one */
async function runAll(
  { context, target, assignment, progress }: TargetJob,
  client: PoolClient,
  { steps, migrations }: Segment,
  watch: Watch | undefined,
): Promise<string[]> {
  const { direction } = assignment;
  let records: string[] = [];
  for (const [index, migration] of migrations.entries()) {
    const name = steps[index]?.name ?? migration.file.name;
    if (index > 0) {
      // Records the migration before, and sets the search_path again in case it was changed.
      const before = [...regainControl(target), ...(watch === undefined ? [] : MARK)];
      const statements = [...before, ...records, ...giveControl(target)].join(';\n');
      const results = (await client.query(statements)) as unknown as QueryResult[];
      watch?.marks.push(toMark(results[before.length - 1]?.rows[0]));
    } else if (target.role !== undefined) await client.query(giveControl(target).join(';\n'));
    progress.atWork = name;
    await runAction(client, context, migration, {
      target,
      direction,
      recording: assignment.record?.(name),
      onStatement: watch && (({ text }) => watch.texts.push(text)),
    });
    if (index === 0 && progress.names.length === 0) await assignment.afterFirst?.(client);
    records = [recordStep(target, direction, name, progress.batch)];
  }
  return records;
}

/**
 * Has the guard look at the transaction. The last record is written before: a history's triggers are looked at, too.
 */
async function keepToSchema(
  { context, target, assignment, progress }: TargetJob,
  client: PoolClient,
  { migrations }: Segment,
  { texts, ...watch }: Watch,
  records: readonly string[],
): Promise<void> {
  // The first tenants of a plan are looked at for everything, whatever the texts say.
  const isPilot = assignment.record !== undefined;
  const readings = isPilot ? [] : await Promise.all(texts.map((text) => context.readStatements(text)));
  progress.observed = await assertWithinSchema(context, {
    client,
    target,
    migrations,
    ...watch,
    columns: isPilot || readings.some(({ mayGrant }) => mayGrant),
    regain: [...regainControlAtEnd(target), ...records],
    savepoint: LOCK_ONLY,
  });
}
