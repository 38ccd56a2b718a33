import type { PoolClient, QueryResult } from 'pg';
import type { OpenTransaction } from '../../db/transaction.ts';
import { MARK, toMark, type SchemaBefore } from '../guard/before.ts';
import { assertWithinSchema, startWatch, type Watch } from '../guard/guard.ts';
import { recordInLedger } from '../ledger/record-in-run.ts';
import { runAction } from './action.ts';
import type { TargetJob } from './assignment.ts';
import { giveControl, regainControlAtEnd, regainControl } from '../target/control.ts';
import { recordStep } from '../target/write-history.ts';
import type { Segment } from './segment.ts';
import { LOCK_ONLY } from './under-lock.ts';
import { stampOf } from '../stamps/stamps.ts';

/** Runs a segment in the open transaction and commits it. @param schemaBefore absent for the master schema */
export async function runGroup(
  job: TargetJob,
  transaction: OpenTransaction,
  segment: Segment,
  schemaBefore: SchemaBefore | undefined,
): Promise<void> {
  const { context, target, assignment, progress } = job;
  const { steps, isLast } = segment;
  const { client } = transaction;
  const names = steps.map((step) => step.name);
  let records: string[] = [];
  if (steps.length > 0) {
    const start = schemaBefore && { client, target, schemaBefore, savepoint: LOCK_ONLY };
    const watch = start && (await startWatch(context, start));
    const texts: string[] = [];
    records = await runAll(job, client, segment, watch, texts);
    // An error at the end (a deferred constraint) may come from any of them.
    if (steps.length > 1) progress.atWork = names.join(', ');
    if (watch !== undefined) {
      await keepToSchema(job, segment, watch, texts, records);
      records = [];
    }
    await assignment.beforeCommit?.(client);
  }
  // Without steps and without a new schema, another run was faster.
  const isDone = steps.length === 0 && assignment.opening === undefined;
  const deed = { direction: assignment.direction, names, batch: progress.batch };
  await transaction.commitWith([
    ...regainControlAtEnd(target),
    ...records,
    ...(isDone ? [] : recordInLedger(context.run?.id, target, deed)),
    ...stampOf(target),
    ...(isLast ? (assignment.closing ?? []) : []),
  ]);
  progress.atWork = undefined;
  progress.names.push(...names);
}

/** Runs the migrations in order. @returns the statements that record the last one */
async function runAll(
  { context, target, assignment, progress }: TargetJob,
  client: PoolClient,
  { steps, migrations }: Segment,
  watch: Watch | undefined,
  texts: string[],
): Promise<string[]> {
  const { direction } = assignment;
  let records: string[] = [];
  for (const [index, migration] of migrations.entries()) {
    const name = steps[index]?.name ?? migration.file.name;
    if (index > 0) {
      // Records the previous migration, and resets the search_path in case it was changed.
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
      onStatement: watch && (({ text }) => texts.push(text)),
    });
    if (index === 0 && progress.names.length === 0) await assignment.afterFirst?.(client);
    records = [recordStep(target, direction, name, progress.batch)];
  }
  return records;
}

/** The guard runs after the last record is written, so that it covers triggers on the history, too. */
async function keepToSchema(
  { context, target, assignment, progress }: TargetJob,
  { migrations }: Segment,
  watch: Watch,
  texts: readonly string[],
  records: readonly string[],
): Promise<void> {
  // Pilots get the full check, whatever the texts say.
  const isPilot = assignment.record !== undefined;
  const readings = isPilot ? [] : await Promise.all(texts.map((text) => context.readStatements(text)));
  progress.observed = await assertWithinSchema(context, {
    ...watch,
    migrations,
    columns: isPilot || readings.some(({ mayGrant }) => mayGrant),
    regain: [...regainControlAtEnd(target), ...records],
  });
}
