import { DatabaseError } from 'pg';
import { TenantctlError } from '../../errors.ts';
import { isLoss, toDatabaseError } from '../../db/database-error.ts';
import { withPipeline, type Pipeline } from '../../db/pipeline.ts';
import type { RunContext } from '../run/run-context.ts';
import type { Lanes } from '../run/lanes.ts';
import type { RunAhead } from './run-ahead.ts';
import { AnswerDiffersError } from './send-parts.ts';
import type { MigrationTask } from '../fleet/plan-fleet.ts';

/** A connection returns to the pool after this many tenants or milliseconds, so that other plans get one. */
const TURN_TENANTS = 50;
const TURN_MS = 250;

export interface Turn {
  readonly send: (pipeline: Pipeline, task: MigrationTask) => Promise<unknown>;
  readonly runAhead: RunAhead;
  /** How many connections drain the queue. */
  readonly width: number;
  readonly begin: Lanes['begin'];
  readonly mayBegin: () => boolean;
  readonly onDone: (task: MigrationTask, durationMs: number) => void;
  readonly onFailed: (task: MigrationTask, error: unknown) => void;
}

/** Serves a queue on one connection for a while. @returns false if none was free, or it was lost unused */
export async function drain(context: RunContext, queue: MigrationTask[], turn: Turn): Promise<boolean> {
  const under = new Set<MigrationTask>();
  const send = sender(turn, under);
  const started = performance.now();
  let served = 0;
  const mayGoOn = () =>
    queue.length > 0 && turn.mayBegin() && served < TURN_TENANTS && performance.now() - started < TURN_MS;
  // A tenant must not wait behind a slow one if another connection could take it.
  const ahead = () => Math.max(1, Math.min(turn.runAhead.limit, Math.floor(queue.length / turn.width)));
  const serve = async (pipeline: Pipeline): Promise<void> => {
    const sent: Promise<boolean>[] = [];
    while (mayGoOn()) {
      for (let room = ahead() - sent.length; room > 0 && mayGoOn(); room -= 1) {
        const task = queue.shift();
        if (task === undefined) break;
        served += 1;
        const answer = send(pipeline, task);
        answer.catch(() => {});
        sent.push(answer);
      }
      // Send the next strings together once half of these have been answered.
      while (sent.length > ahead() / 2) {
        if ((await sent.shift()) !== false) continue;
        await Promise.all(sent.splice(0));
        await pipeline.clean();
      }
    }
    const isWell = (await Promise.all(sent)).every(Boolean);
    // Even a failed string may have changed the session, and the next turn may run another plan.
    if (!isWell) await pipeline.clean();
  };
  try {
    await withPipeline(context.database, serve, () => served);
  } catch (error) {
    // Their histories will show whether these were committed.
    const hit = [...under];
    under.clear();
    for (const task of hit) turn.onFailed(task, error);
  }
  return served > 0 || !turn.mayBegin();
}

/** Whether an error leaves the connection usable for the next tenant. */
function isOfTenant(error: unknown): boolean {
  if (error instanceof TenantctlError) return !isLoss(error);
  return error instanceof DatabaseError || error instanceof AnswerDiffersError;
}

/** Sends a tenant's string and reports how it ended. @param under the tenants in flight */
function sender(
  turn: Turn,
  under: Set<MigrationTask>,
): (pipeline: Pipeline, task: MigrationTask) => Promise<boolean> {
  let answeredAt = 0;
  return async (pipeline, task) => {
    const sentAt = performance.now();
    const end = turn.begin();
    under.add(task);
    try {
      await turn.send(pipeline, task);
      // The server starts a string when it has finished the one before.
      const now = performance.now();
      const durationMs = now - Math.max(answeredAt, sentAt);
      answeredAt = now;
      turn.runAhead.answered(durationMs);
      end();
      under.delete(task);
      turn.onDone(task, Math.round(durationMs));
      return true;
    } catch (error) {
      // A broken connection ends the turn, which handles the tenants in flight.
      if (!isOfTenant(error)) throw error;
      answeredAt = performance.now();
      end(toDatabaseError(error));
      if (under.delete(task)) turn.onFailed(task, error);
      return false;
    }
  };
}
