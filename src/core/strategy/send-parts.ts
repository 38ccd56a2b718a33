import type { PoolClient } from 'pg';
import { createAnswer, isAnswer, type Answer } from '../../db/answer.ts';
import type { ServerNotice } from '../../db/database.ts';
import type { Pipeline } from '../../db/pipeline.ts';
import type { ActionOptions } from '../apply/action-call.ts';
import { runAction } from '../apply/action.ts';
import type { Direction, Migration } from '../files/load.ts';
import type { MigrationFile } from '../files/source.ts';
import type { RunContext } from '../run/run-context.ts';
import type { Target } from '../target/target.ts';
import type { Part } from './part-list.ts';

/** A tenant answers a migration's statement in another way than those that showed what to send. */
export class AnswerDiffersError extends Error {
  override readonly name = 'AnswerDiffersError';
  readonly migration: string;
  constructor(migration: string) {
    super(`A tenant answers ${migration} differently.`);
    this.migration = migration;
  }
}

export interface PartsSender {
  readonly context: RunContext;
  readonly pipeline: Pipeline;
  readonly target: Target;
  readonly direction: Direction;
  readonly fileOf: (name: string) => MigrationFile;
  readonly onNotice: (notice: ServerNotice) => void;
}

/**
 * Sends the parts of one tenant's transaction. Nothing is sent before all answers that it may depend on are known to
 * be the expected ones: setval and the like survive a rollback.
 * @throws AnswerDiffersError, DatabaseError, what runAction throws; the transaction is then open
 */
export async function sendParts(sender: PartsSender, parts: readonly Part[]): Promise<void> {
  const { pipeline, onNotice } = sender;
  const finishes: (() => void)[] = [];
  const shared = {};
  const ran: string[] = [];
  let sending: Promise<unknown>[] = [];
  const send = (text: string, answer?: Answer) => {
    const sent = pipeline.send(text, { onNotice, answer });
    sent.catch(() => {});
    sending.push(sent);
  };
  const answered = async () => {
    for (const sent of sending) await sent;
    sending = [];
  };
  for (const part of parts) {
    if (part.kind === 'run') {
      // It is loaded while the server works.
      await Promise.all([answered(), loadStep(sender, part.what)]);
      const { texts, finish } = await pipeline.alone((client) => runStep(sender, client, part.what, shared));
      finishes.push(finish);
      ran.push(...texts);
      send(part.after(texts));
    } else if (part.kind === 'end') {
      for (const finish of finishes) finish();
      const readings = await Promise.all(ran.map(sender.context.readStatements));
      send(part.textAfter({ texts: ran, readings }));
    } else if (part.asks === undefined) {
      send(part.text);
    } else {
      // It could end what an error in the string before has aborted.
      if (ROLLS_BACK.test(part.text)) await answered();
      const answer = createAnswer();
      send(part.text, answer);
      await answered();
      if (!isAnswer(part.asks.answer, answer)) throw new AnswerDiffersError(part.asks.name);
    }
  }
  await answered();
}

const ROLLS_BACK = /\brollback\b/i;

async function loadStep(
  { context, direction, fileOf }: PartsSender,
  what: string | Migration,
): Promise<Migration> {
  const migration = typeof what === 'string' ? await context.load(fileOf(what)) : what;
  if (typeof migration[direction] === 'function') await context.knex(migration.file);
  return migration;
}

async function runStep(
  sender: PartsSender,
  client: PoolClient,
  what: string | Migration,
  shared: ActionOptions['shared'],
): Promise<{ readonly texts: readonly string[]; readonly finish: () => void }> {
  const { context, target, direction } = sender;
  const texts: string[] = [];
  const migration = await loadStep(sender, what);
  const finish = await runAction(client, context, migration, {
    target,
    direction,
    shared,
    onStatement: ({ text }) => texts.push(text),
  });
  return { texts, finish };
}
