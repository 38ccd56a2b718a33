import type { PoolClient, QueryResult } from 'pg';
import type { OpenTransaction } from '../../db/transaction.ts';
import type { RunContext } from '../run/run-context.ts';
import { MARK, toMark, type SchemaBefore, type Mark } from '../guard/before.ts';
import { assertWithinSchema, rememberBefore } from '../guard/guard.ts';
import { readStatements } from '../guard/statements.ts';
import { recordInLedger } from '../ledger/record-in-run.ts';
import { runAction } from './action.ts';
import type { Assignment, Progress } from './assignment.ts';
import { handOver, takeBack, takeOver } from '../target/hand-over.ts';
import type { Migration } from '../files/load.ts';
import type { Step } from '../plan/plan.ts';
import { recordStep } from '../target/record.ts';
import type { Target } from '../target/target.ts';
import { LOCK_ONLY } from './under-lock.ts';
import { stampOf } from '../stamps/stamps.ts';
import type { SentStatement } from '../../db/knex/statement.ts';

/** Consecutive migrations that share a transaction. */
export interface Group {
  readonly steps: readonly Step[];
  /** One for each step. */
  readonly migrations: readonly Migration[];
  /** Nothing comes after them. */
  readonly isLast: boolean;
  /** What a tenant's schema held before; absent for the master schema. */
  readonly schemaBefore: SchemaBefore | undefined;
}

/** Consecutive migrations in the open transaction; it is committed together with the last one's record. */
export async function runGroup(
  context: RunContext,
  target: Target,
  assignment: Assignment,
  progress: Progress,
  transaction: OpenTransaction,
  { steps, migrations, isLast, schemaBefore }: Group,
): Promise<void> {
  const { client } = transaction;
  const { direction } = assignment;
  const remembered =
    schemaBefore === undefined || steps.length === 0
      ? undefined
      : await rememberBefore(context, client, target);
  const marks: Mark[] = [];
  const texts: string[] = [];
  let records: string[] = [];
  for (const [index, step] of steps.entries()) {
    const migration = migrations[index];
    if (migration === undefined) break;
    // The record of the migration before, and the search_path in case it moved that.
    if (records.length > 0) {
      const mark = schemaBefore === undefined ? [] : MARK;
      const results = await query(client, [...takeOver(target), ...mark, ...records, ...handOver(target)]);
      const marked = results[takeOver(target).length + mark.length - 1];
      if (schemaBefore !== undefined) marks.push(toMark(marked?.rows[0]));
    } else if (target.role !== undefined) await client.query(handOver(target).join(';\n'));
    progress.atWork = step.name;
    const recording = assignment.record?.(step.name);
    const onStatement =
      schemaBefore === undefined ? undefined : ({ text }: SentStatement) => texts.push(text);
    await runAction(client, context.knex, migration, { target, direction, recording, onStatement });
    if (index === 0 && progress.done.length === 0) await assignment.afterFirst?.(client);
    records = [recordStep(target, direction, step.name, progress.batch)];
  }
  // What is checked at the end (a deferred constraint) may be any of them.
  const names = steps.map((step) => step.name);
  if (steps.length > 1) progress.atWork = names.join(', ');
  if (steps.length > 0) {
    if (schemaBefore !== undefined) {
      // With the last record: whatever triggers the history has, what they do is looked at, too.
      const back = { takeBack: [...takeBack(target), ...records], savepoint: LOCK_ONLY };
      // The first tenants of a plan are looked at for everything, whatever the texts say.
      const columns = assignment.record !== undefined || (await mayGrant(texts));
      const guarded = { client, target, schemaBefore, marks, migrations, columns, remembered, ...back };
      progress.observed = await assertWithinSchema(context, guarded);
    }
    await assignment.beforeCommit?.(client);
  }
  await transaction.commitWith([
    ...takeBack(target),
    ...(schemaBefore === undefined ? records : []),
    ...recordInLedger(context.run?.id, target, { direction, names, batch: progress.batch }),
    ...stampOf(target),
    ...(isLast ? (assignment.closing ?? []) : []),
  ]);
  progress.atWork = undefined;
  progress.done.push(...names);
}

/** Whether one of these texts may have granted a column. */
async function mayGrant(texts: readonly string[]): Promise<boolean> {
  for (const text of texts) if ((await readStatements(text)).mayGrant) return true;
  return false;
}

/** The results of several statements, sent as one string. */
async function query(client: PoolClient, statements: readonly string[]): Promise<QueryResult[]> {
  return (await client.query(statements.join(';\n'))) as unknown as QueryResult[];
}
