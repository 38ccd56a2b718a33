import { DatabaseError } from 'pg';
import { messageOf } from '../errors.ts';
import { toDatabaseError } from '../db/database-error.ts';
import { withPipeline, type Pipeline } from '../db/pipeline.ts';
import type { Engine } from './engine.ts';
import type { Due } from './fleet.ts';
import type { Lanes } from './lanes.ts';
import { asOneString, historyAfter, statementsFor, type CompiledPlan } from './migrations/compiled.ts';
import { tenantTarget } from './migrations/target.ts';
import { digester, knowHistories } from './stamps/stamps.ts';

/** What became of the tenants to which a compiled plan was sent. */
export interface Undelivered {
  /** Tenants that have to be gone through one statement at a time: their string failed, and was rolled back whole. */
  readonly interactive: Due[];
  /** Tenants that nobody came to, since the run was told to stop. */
  readonly left: Due[];
}

export interface SendToAllOptions {
  readonly lanes: Lanes;
  /** One tenant at a time. */
  readonly isAlone: boolean;
  readonly statuses: readonly string[];
  readonly opening?: ((due: Due) => readonly string[]) | undefined;
  readonly closing: (due: Due) => readonly string[];
  /** Told of each tenant that is done. */
  readonly onDone: (due: Due, startedAt: number) => void;
}

/** A connection is given back after so many tenants or so many milliseconds, that others may have a turn. */
const TURN_TENANTS = 50;
const TURN_MS = 250;

/** Strings on their way on one connection: the server finds the next one waiting when it is done with one. */
const AHEAD = 2;

/** Somebody else was in the way, and may be gone by now (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const PASSING = new Set(['55P03', '57014', '40001', '40P01']);

/**
 * Sends a compiled plan to many tenants, each a string and a transaction of its own. A string that fails has been
 * rolled back whole. Where somebody was in the way (a lock, a deadlock, a cancel) it is sent once more after the
 * others; else its tenant is returned, to be gone through one statement at a time. Where the server refuses a string
 * of several statements (42601; Citus does), they go one at a time, without waiting for each other's answers.
 */
export async function sendToAll(
  engine: Engine,
  dues: readonly Due[],
  compiled: CompiledPlan,
  options: SendToAllOptions,
): Promise<Undelivered> {
  const digest = digester();
  const after = new Map<unknown, readonly { readonly name: string; readonly batch: number }[]>();
  for (const { history, plan } of dues) {
    if (!after.has(history.entries))
      after.set(history.entries, historyAfter(history, plan, compiled.direction));
  }
  await engine.database.query(knowHistories([...after.values()]));

  const statementsOf = (due: Due): string[] =>
    statementsFor(
      compiled,
      {
        target: tenantTarget(due.tenant),
        plan: due.plan,
        expected: due.tenant.tables.hasHistory ? digest(due.history.entries) : null,
        becomes: digest(after.get(due.history.entries) ?? []),
      },
      {
        statuses: options.statuses,
        lockTimeoutMs: engine.lockTimeoutMs,
        canCheckClient: engine.database.canCheckClient,
        opening: options.opening?.(due) ?? [],
        closing: options.closing(due),
      },
    );

  const width = options.isAlone ? 1 : options.lanes.width;
  const interactive: Due[] = [];
  let isOneByOne = false;
  const round = async (queue: Due[]): Promise<Due[]> => {
    const again: Due[] = [];
    const turn = async (): Promise<boolean> => {
      if (queue.length === 0 || engine.signal?.aborted === true) return false;
      await takeTurn(engine, queue, {
        send: (pipeline, due) =>
          isOneByOne ? sendOneByOne(pipeline, statementsOf(due)) : sendWhole(pipeline, statementsOf(due)),
        // A slow tenant must not keep one waiting that another connection could take.
        ahead: () => (queue.length > width * AHEAD ? AHEAD : 1),
        onDone: options.onDone,
        begin: options.lanes.begin,
        onFailed(due, error) {
          const sqlstate = error instanceof DatabaseError ? error.code : undefined;
          if (sqlstate === '25P02') queue.unshift(due);
          else if (PASSING.has(sqlstate ?? '')) again.push(due);
          else if (sqlstate === '42601' && !isOneByOne) {
            isOneByOne = true;
            queue.unshift(due);
          } else interactive.push(due);
        },
      });
      return true;
    };
    const lanes = Array.from({ length: Math.min(width, queue.length) }, async () => {
      while (await options.lanes.run(turn));
    });
    await Promise.all(lanes);
    return again;
  };

  const queue = [...dues];
  const again = await round(queue);
  const still = await round(again);
  return { interactive: [...interactive, ...still], left: [...queue, ...again] };
}

interface Turn {
  readonly send: (pipeline: Pipeline, due: Due) => Promise<void>;
  readonly ahead: () => number;
  readonly begin: Lanes['begin'];
  readonly onDone: (due: Due, startedAt: number) => void;
  readonly onFailed: (due: Due, error: unknown) => void;
}

/** Serves tenants of a queue on one connection for a while. */
async function takeTurn(engine: Engine, queue: Due[], turn: Turn): Promise<void> {
  const under = new Set<Due>();
  const started = Date.now();
  let served = 0;
  const mayGoOn = () =>
    queue.length > 0 &&
    engine.signal?.aborted !== true &&
    served < TURN_TENANTS &&
    Date.now() - started < TURN_MS;
  try {
    await withPipeline(
      engine.database,
      async (pipeline) => {
        const one = async (due: Due): Promise<boolean> => {
          const startedAt = Date.now();
          const end = turn.begin();
          under.add(due);
          served += 1;
          try {
            await turn.send(pipeline, due);
            end();
            under.delete(due);
            turn.onDone(due, startedAt);
            return true;
          } catch (error) {
            // A broken connection ends the turn: what was on its way is dealt with there.
            if (!(error instanceof DatabaseError)) throw error;
            end(toDatabaseError(error));
            if (under.delete(due)) turn.onFailed(due, error);
            return false;
          }
        };
        const sent: Promise<boolean>[] = [];
        while (mayGoOn()) {
          const due = queue.shift();
          if (due === undefined) break;
          const answer = one(due);
          answer.catch(() => {});
          sent.push(answer);
          if (sent.length < turn.ahead()) continue;
          if ((await sent.shift()) !== false) continue;
          await Promise.all(sent.splice(0));
          await pipeline.clean();
        }
        await Promise.all(sent);
        // A string may have left something behind, whether it failed or not: the next turn is another plan's.
        await pipeline.clean();
      },
      () => served,
    );
  } catch (error) {
    // Whether these were committed, their histories will tell. Where no connection could be had, the next tenant says so.
    const [next] = under.size === 0 ? queue.splice(0, 1) : [];
    const hit = next === undefined ? [...under] : [next];
    under.clear();
    for (const due of hit) turn.onFailed(due, error);
  }
}

async function sendWhole(pipeline: Pipeline, statements: readonly string[]): Promise<void> {
  await pipeline.send(asOneString(statements));
}

/** All statements are sent before the first is answered: behind one that fails, the server refuses the rest. */
async function sendOneByOne(pipeline: Pipeline, statements: readonly string[]): Promise<void> {
  const answers = await Promise.allSettled(statements.map((statement) => pipeline.send(statement)));
  const failed = answers.find((answer) => answer.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  const end = answers[statements.indexOf('COMMIT')];
  const result = end?.status === 'fulfilled' ? end.value : undefined;
  if (Array.isArray(result) || result?.command !== 'COMMIT') {
    throw new Error(`The transaction was not committed: ${messageOf(result)}`);
  }
}
