import { BEGIN, withClient } from '../../db/transaction.ts';
import type { Engine } from '../engine.ts';
import { recordDeed } from '../runs/record-in-run.ts';
import { deleteIntent, insertIntent } from '../state.ts';
import { runAction } from './action.ts';
import type { Assignment, Progress } from './assignment.ts';
import { handOver, takeOver } from './hand-over.ts';
import type { Migration } from './load.ts';
import type { Step } from './plan.ts';
import { recordStep, stampOf } from './record.ts';
import { outsideFailure, poolerInBetween } from './target-errors.ts';
import type { Target } from './target.ts';

/** One migration with no transaction around it, on a connection of its own, between its intent and its record. */
export async function runOutside(
  engine: Engine,
  target: Target,
  assignment: Assignment,
  progress: Progress,
  step: Step,
  migration: Migration,
  isLast: boolean,
): Promise<void> {
  const { database } = engine;
  if (database.behindPooler) throw poolerInBetween(step);
  progress.isOutside = true;
  const started = Date.now();
  await withClient(database, async (client) => {
    try {
      await client.query(insertIntent(target.schema, step.name, assignment.direction));
      for (const statement of handOver(target)) await client.query(statement.replace('SET LOCAL', 'SET'));
      await runAction(client, engine.knex, migration, { target, direction: assignment.direction });
      const closing = isLast ? (assignment.closing ?? []) : [];
      await client.query(
        [
          BEGIN,
          ...takeOver(target),
          recordStep(target, assignment.direction, step.name, progress.batch),
          ...recordDeed(engine.run?.id, target, {
            direction: assignment.direction,
            names: [step.name],
            batch: progress.batch,
            durationMs: Date.now() - started,
          }),
          deleteIntent(target.schema),
          ...stampOf(target),
          ...closing,
          'COMMIT',
        ].join(';\n'),
      );
    } catch (error) {
      // The server has answered, so what happened is known: the intent goes, and the error tells.
      await client.query('ROLLBACK').catch(() => {});
      await client.query('RESET ROLE').catch(() => {});
      await client.query(deleteIntent(target.schema)).catch(() => {});
      throw outsideFailure(error, step);
    } finally {
      await client.query('DISCARD ALL').catch(() => {});
    }
  });
  progress.isOutside = false;
  progress.done.push(step.name);
}
