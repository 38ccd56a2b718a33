import { dirname } from 'node:path';
import { types } from 'node:util';
import type { Knex } from 'knex';
import type { PoolClient } from 'pg';
import type { ServerNotice } from '../../db/database.ts';
import type { KnexFactory, SessionOptions } from '../../db/knex/knex-session.ts';
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
import { explainHardCoded } from './hard-coded.ts';
import { extensionSender } from './extensions.ts';
import { keepTransaction } from './keep-transaction.ts';
import { refusedStatement, type SentPart } from './refused-statement.ts';
import { catalogQuestion } from '../statements/catalog-question.ts';
import { checkStatements, type StatementCheck } from '../guard/statement-check.ts';
import type { RunContext } from '../run/run-context.ts';
import { MENTIONS_EXTENSION } from '../statements/extension-statement.ts';
import { type Migration, type Direction, runsInTransaction } from '../files/load.ts';
import { fromFirstWord, splitStatements } from '../files/parse-sql.ts';
import { placeOf } from '../files/source-place.ts';
import type { Target } from '../target/target.ts';
import { NotWaitedForError, type Around, type Seen, type SentStatement } from '../../db/knex/statement.ts';

interface ActionOptions {
  readonly target: Target;
  readonly direction: Direction;
  readonly onStatement?: ((statement: SentStatement) => void) | undefined;
  /** What earlier migrations of the transaction have sent. */
  readonly earlier?: readonly string[];
  /** Sends each statement; sent as is if absent. */
  readonly around?: Around;
  readonly recording?: Recording | undefined;
}

/**
 * Runs one migration on a prepared connection.
 * @returns a check to call before the migration is recorded: it throws if something came late
 * @throws MIGRATION_FAILED, MIGRATION_IRREVERSIBLE
 */
export async function runAction(
  client: PoolClient,
  context: Pick<RunContext, 'knex' | 'readStatements' | 'sent' | 'warnings' | 'notices'>,
  migration: Migration,
  options: ActionOptions,
): Promise<() => void> {
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
    const asked = catalogQuestion(text);
    if (asked !== undefined) context.warnings.add(seesAllSchemas(migration.file.name, asked));
  };
  const { around: sender = (_text, send) => send() } = options;
  const around = extensionSender({ client, context, migration, target, inTransaction, around: sender });
  const texts = [...(options.earlier ?? [])];
  const onStatement = (statement: SentStatement) => {
    texts.push(statement.text);
    options.onStatement?.(statement);
  };
  const call = {
    ...options,
    client,
    sent: context.sent,
    migration,
    inTransaction,
    check,
    around,
    onStatement,
  };
  const run = async () =>
    typeof action === 'string'
      ? runSql(call, action)
      : runFunction(call, await context.knex(migration.file), action);
  const { readStatements } = context;
  const listen = (notice: ServerNotice) => context.notices.add(notice, [migration.file.name], target.schema);
  client.on('notice', listen);
  const running = run().finally(() => client.off('notice', listen));
  const seen = await running.catch(async (error: unknown) => {
    throw await explainHardCoded(error, { readStatements, migration, target, texts });
  });
  if (inTransaction) assertTransactionAlive(call, seen);
  else if (client.getTransactionStatus() !== 'I')
    throw migrationFailed(call, `${migration.file.name} left a transaction open.`, {
      hint: 'Commit each transaction that it begins; knex.transaction(async (trx) => { ... }) does so by itself.',
    });
  noteSent(call, seen.hasSent);
  return () => {
    try {
      seen.finish();
    } catch (error) {
      throw failed(call, error, undefined);
    }
  };
}

function seesAllSchemas(name: string, relation: string): string {
  return `${name} asks ${relation} without a condition on the schema: it sees the objects of every tenant, and may do something else for the second tenant than for the first. Add the schema, for example "= current_schema()".`;
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
  return { failures: [], hasSent, finish() {} };
}

async function runFunction(
  call: ActionCall,
  factory: KnexFactory,
  action: (knex: Knex) => unknown,
): Promise<Seen> {
  const { schema, clerkOrgId } = call.target;
  const session = {
    migration: call.migration.file.name,
    userParams: { schema, ...(clerkOrgId !== undefined && { clerkOrgId }) },
    check: call.check,
    onStatement: call.onStatement,
    around: call.around,
    recording: call.recording,
    config: knexConfig(call),
  };
  const run = call.inTransaction ? factory.withinTransaction : factory.outsideTransaction;
  let seen: Seen = { failures: [], hasSent: false, finish() {} };
  await run(call.client, session, async (knexSession) => {
    seen = knexSession.seen;
    await whole(await action(knexSession.knex));
  }).catch((error: unknown) => {
    if (seen.hasSent) noteSent(call, true);
    throw failed(call, error, failureBehind(error, seen));
  });
  return seen;
}

/** What plain Knex would have been configured with. */
function knexConfig({ target, migration }: ActionCall): SessionOptions['config'] {
  const { schema, historyTable, searchPath } = target;
  const directory = dirname(migration.file.path);
  return { searchPath, migrations: { directory, tableName: historyTable, schemaName: schema } };
}

/** Waits for promises in an array, which `await` does not. @throws NotWaitedForError for a generator */
async function whole(returned: unknown): Promise<void> {
  // A statement's answer: to look at it would count as the migration's reading.
  if (types.isProxy(returned)) return;
  if (Array.isArray(returned)) await Promise.all(returned.filter((one) => one instanceof Promise));
  const isUnstarted =
    typeof returned === 'function' || typeof (returned as Iterator<unknown> | undefined)?.next === 'function';
  if (isUnstarted) throw new NotWaitedForError('returned a function or generator that nobody runs');
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
