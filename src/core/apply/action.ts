import type { PoolClient } from 'pg';
import type { ServerNotice } from '../../db/database.ts';
import type { Seen, SentStatement } from '../../db/knex/statement.ts';
import { TenantctlError } from '../../errors.ts';
import { type Migration, runsInTransaction } from '../files/load.ts';
import { placeOf } from '../files/source-place.ts';
import { checkStatements, type StatementCheck } from '../guard/statement-check.ts';
import type { RunContext } from '../run/run-context.ts';
import { CONTROL_WORDS, ROLE_WORDS } from '../statements/control-statements.ts';
import { catalogQuestion } from '../statements/catalog-question.ts';
import type { ActionCall, ActionOptions } from './action-call.ts';
import { changedRole, endedItself, failed, migrationFailed, sqlstateOf } from './action-failure.ts';
import { extensionSender } from './extensions.ts';
import { explainHardCoded } from './hard-coded.ts';
import { keepTransaction } from './keep-transaction.ts';
import { runFunction } from './run-function.ts';
import { runSql } from './run-sql.ts';

/**
 * Runs one migration on a prepared connection.
 * @returns a check to call before the migration is recorded: it throws if something came late
 * @throws MIGRATION_FAILED, MIGRATION_IRREVERSIBLE
 */
export async function runAction(
  client: PoolClient,
  context: Pick<RunContext, 'database' | 'knex' | 'readStatements' | 'sent' | 'warnings' | 'notices'>,
  migration: Migration,
  options: ActionOptions,
): Promise<() => void> {
  const { target, direction } = options;
  const { name } = migration.file;
  const action = migration[direction];
  if (action === undefined)
    throw new TenantctlError('MIGRATION_IRREVERSIBLE', `${name} has no "down": it cannot be undone.`, {
      tenant: target.clerkOrgId,
      migration: name,
      hint: 'Write its down, or a new migration that undoes it.',
    });
  const inTransaction = runsInTransaction(migration, direction);
  const { readStatements } = context;
  const check = checkOf(client, context, migration, options);
  const cut = async (text: string) =>
    CONTROL_WORDS.test(text) ? (await readStatements(text)).statements : undefined;
  const { around: sender = (_text, send) => send(), recording } = options;
  const sending = { client, context, migration, target, inTransaction, recording, around: sender };
  const around = extensionSender(sending);
  const own: string[] = [];
  // A hook may send nothing.
  const sent = migration.file.kind === 'hook' ? new Map<string, boolean>() : context.sent[direction];
  const sendsNothing = sent.get(name) === false;
  const noteSent = (hasSent: boolean) => sent.set(name, hasSent || sent.get(name) === true);
  const onStatement = (statement: SentStatement) => {
    noteSent(true);
    own.push(statement.text);
    options.onStatement?.(statement);
  };
  const call = {
    ...options,
    client,
    migration,
    inTransaction,
    sendsNothing,
    check,
    cut,
    acceptsAnyInStrings: context.database.acceptsAnyInStrings,
    around,
    onStatement,
  };
  const run = async () => {
    // Who listens to all that the server answers must not take that for the migration's.
    if (typeof action === 'string' || options.recording !== undefined) await options.behind;
    return typeof action === 'string'
      ? runSql(call, action)
      : runFunction(call, await context.knex(migration.file), action);
  };
  const listen = (notice: ServerNotice) => context.notices.add(notice, [name], target.schema);
  client.on('notice', listen);
  const running = run().finally(() => client.off('notice', listen));
  const seen = await running.catch(async (error: unknown) => {
    const texts = [...(options.earlier?.() ?? []), ...own];
    throw await explainHardCoded(error, { readStatements, migration, target, texts });
  });
  assertTransactionKept(call, seen);
  noteSent(seen.hasSent);
  return () => {
    try {
      seen.finish();
    } catch (error) {
      throw failed(call, error, undefined);
    }
  };
}

/** What every statement must pass before it is sent. */
function checkOf(
  client: PoolClient,
  { readStatements, warnings }: Pick<RunContext, 'readStatements' | 'warnings'>,
  migration: Migration,
  { target, direction }: ActionOptions,
): StatementCheck {
  const guard = checkStatements(client, readStatements, migration, target, direction);
  const control = runsInTransaction(migration, direction)
    ? keepTransaction(client, readStatements, { migration, target, direction })
    : undefined;
  return async (text) => {
    await control?.(text);
    if (target.role !== undefined && ROLE_WORDS.test(text) && (await readStatements(text)).changesRole)
      throw changedRole({ migration, target }, text);
    await guard?.(text);
    const asked = catalogQuestion(text);
    if (asked !== undefined) warnings.add(seesAllSchemas(migration.file.name, asked));
  };
}

function seesAllSchemas(name: string, relation: string): string {
  return `${name} asks ${relation} without a condition on the schema: it sees the objects of every tenant, and may do something else for the second tenant than for the first. Add the schema, for example "= current_schema()".`;
}

/** The transaction is open and has not failed; or none is, if the migration runs outside one. */
function assertTransactionKept(call: ActionCall, { failures }: Seen): void {
  const status = call.client.getTransactionStatus();
  if (status === (call.inTransaction ? 'T' : 'I')) return;
  if (!call.inTransaction)
    throw migrationFailed(call, `${call.migration.file.name} left a transaction open.`, {
      hint: 'Commit each transaction that it begins; knex.transaction(async (trx) => { ... }) does so by itself.',
    });
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
