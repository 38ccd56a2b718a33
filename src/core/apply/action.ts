import type { Knex } from 'knex';
import type { PoolClient } from 'pg';
import type { KnexFactory } from '../../db/knex/knex-session.ts';
import { changesRole } from '../../db/control-statements.ts';
import { asLoneStatement, countCompleted } from '../../db/pg-internals.ts';
import { cutUnreadable } from '../../db/unreadable.ts';
import type { Recording } from '../../db/knex/recording.ts';
import { TenantctlError } from '../../errors.ts';
import {
  changedRole,
  endedItself,
  failed,
  failureBehind,
  migrationFailed,
  sqlstateOf,
} from './action-failure.ts';
import { extensionSender } from './extensions.ts';
import { keepTransaction } from './keep-transaction.ts';
import { refusedStatement, type SentPart } from './refused-statement.ts';
import { checkStatements, type StatementCheck } from '../guard/statement-check.ts';
import type { RunContext } from '../run/run-context.ts';
import { MENTIONS_EXTENSION } from '../statements/extension-statement.ts';
import { type Migration, type Direction, runsInTransaction } from '../files/load.ts';
import { fromFirstWord, splitStatements } from '../files/parse-sql.ts';
import { placeOf } from '../files/source-place.ts';
import type { Target } from '../target/target.ts';
import type { Around, Seen, SentStatement } from '../../db/knex/statement.ts';

interface ActionOptions {
  readonly target: Target;
  readonly direction: Direction;
  readonly onStatement?: ((statement: SentStatement) => void) | undefined;
  /** Sends each statement; sent as is if absent. */
  readonly around?: Around;
  readonly recording?: Recording | undefined;
}

/** Runs one migration on a prepared connection. @throws MIGRATION_FAILED, MIGRATION_IRREVERSIBLE */
export async function runAction(
  client: PoolClient,
  context: Pick<RunContext, 'knex' | 'readStatements' | 'sent' | 'warnings'>,
  migration: Migration,
  options: ActionOptions,
): Promise<void> {
  const { target, direction } = options;
  const action = direction === 'up' ? migration.up : migration.down;
  if (action === undefined) {
    const { name } = migration.file;
    throw new TenantctlError('MIGRATION_IRREVERSIBLE', `${name} has no "down": it cannot be undone.`, {
      tenant: target.clerkOrgId,
      migration: name,
      hint: 'Write its down, or a new migration that undoes it.',
    });
  }
  const inTransaction = runsInTransaction(migration, direction);
  const guard = checkStatements(client, context.readStatements, migration, target, direction);
  const control = keepTransaction(client, { migration, target, direction });
  const check = async (text: string): Promise<void> => {
    if (inTransaction) await control(text);
    if (target.role !== undefined && (await changesRole(text)))
      throw changedRole({ migration, target }, text);
    await guard?.(text);
  };
  const { around: sender = (_text, send) => send() } = options;
  const around = extensionSender({ client, context, migration, target, inTransaction, around: sender });
  const call = { ...options, client, sent: context.sent, migration, inTransaction, check, around };
  const seen =
    typeof action === 'string'
      ? await runSql(call, action)
      : await runFunction(call, await context.knex(migration.file), action);
  if (inTransaction) assertTransactionAlive(call, seen);
  noteSent(call, seen.hasSent);
}

/** Remembers whether an `up` has sent anything to any tenant of the run. */
function noteSent({ sent, direction, migration }: ActionCall, hasSent: boolean): void {
  const { name } = migration.file;
  if (direction === 'up') sent.set(name, hasSent || sent.get(name) === true);
}

interface ActionCall extends ActionOptions {
  readonly around: Around;
  readonly client: PoolClient;
  readonly sent: RunContext['sent'];
  readonly migration: Migration;
  readonly inTransaction: boolean;
  readonly check: StatementCheck;
}

/**
 * Sends the text of an .sql migration: whole in a transaction; statement by statement outside one, if it may
 * create or drop an extension, and if the parser cannot read it.
 */
async function runSql(call: ActionCall, sql: string): Promise<Seen> {
  const { client, migration, direction, inTransaction, check, onStatement, recording, around } = call;
  // PostgreSQL runs a string of several statements as one transaction.
  const lone = inTransaction ? await cutUnreadable(sql) : undefined;
  const whole = [{ text: sql, offset: 0 }];
  const split = () => splitStatements(sql, migration, direction);
  let parts: readonly SentPart[] = lone ?? whole;
  if (!inTransaction) parts = await split();
  else if (lone === undefined && MENTIONS_EXTENSION.test(sql)) parts = await split().catch(() => whole);
  let hasSent = false;
  if (lone !== undefined) await check(sql);
  for (const part of parts) {
    const { text } = part;
    if (fromFirstWord(text) === '') continue;
    hasSent = true;
    if (lone === undefined) await check(text);
    onStatement?.({ text, values: [] });
    const completed = countCompleted(client);
    const isAlone = lone !== undefined || part.problem !== undefined;
    const send = () => {
      recording?.sent({ text, values: [] });
      return client.query(isAlone ? asLoneStatement(text) : text);
    };
    try {
      await around(text, send);
    } catch (error) {
      const at = completed();
      noteSent(call, true);
      throw failed(call, error, await refusedStatement(migration, direction, sql, part, at, error));
    }
    completed();
  }
  return { failures: [], hasSent };
}

async function runFunction(
  call: ActionCall,
  factory: KnexFactory,
  action: (knex: Knex) => unknown,
): Promise<Seen> {
  const { schema, clerkOrgId } = call.target;
  const session = {
    userParams: { schema, ...(clerkOrgId !== undefined && { clerkOrgId }) },
    check: call.check,
    onStatement: call.onStatement,
    around: call.around,
    recording: call.recording,
  };
  const run = call.inTransaction ? factory.withinTransaction : factory.outsideTransaction;
  let seen: Seen = { failures: [], hasSent: false };
  await run(call.client, session, async (knexSession) => {
    seen = knexSession.seen;
    await action(knexSession.knex);
  }).catch((error: unknown) => {
    if (seen.hasSent) noteSent(call, true);
    throw failed(call, error, failureBehind(error, seen));
  });
  return seen;
}

function assertTransactionAlive(call: ActionCall, { failures }: Seen): void {
  const status = call.client.getTransactionStatus();
  if (status === 'T') return;
  if (status !== 'E') throw endedItself(call);
  const first = failures.at(-1);
  throw migrationFailed(
    call,
    `${call.migration.file.name} went on after a statement had failed; its transaction is lost${first === undefined ? '' : `: ${first.message}`}.`,
    {
      at: placeOf(first?.error, call.migration.file.path),
      sqlstate: sqlstateOf(first?.error),
      statement: first?.text,
      hint: 'A statement that may fail needs a savepoint: await knex.transaction(async (inner) => { ... }).',
      cause: first?.error,
    },
  );
}
