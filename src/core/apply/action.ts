import type { Knex } from 'knex';
import type { PoolClient } from 'pg';
import type { KnexFactory } from '../../db/knex/knex-session.ts';
import { changesRole } from '../../db/role-control.ts';
import { endsTransaction } from '../../db/transaction-control.ts';
import type { Recording } from '../../db/knex/recording.ts';
import { messageOf, TenantctlError } from '../../errors.ts';
import {
  changedRole,
  endedItself,
  failed,
  failureBehind,
  irreversible,
  sqlstateOf,
} from './action-failure.ts';
import { checkStatements, type StatementCheck } from '../guard/statement-check.ts';
import type { RunContext } from '../run/run-context.ts';
import { type Migration, type Direction, runsInTransaction } from '../files/load.ts';
import { splitStatements } from '../files/split-statements.ts';
import type { Target } from '../target/target.ts';
import type { Around, Seen, SentStatement } from '../../db/knex/statement.ts';

export interface ActionOptions {
  readonly target: Target;
  readonly direction: Direction;
  readonly onStatement?: ((statement: SentStatement) => void) | undefined;
  /** Sends each statement in its own way; unchanged where absent. */
  readonly around?: Around | undefined;
  /** Records what the migration sends, to send it to other tenants too. */
  readonly recording?: Recording | undefined;
}

/**
 * Runs one migration in one direction, on a connection whose transaction (where it has one), role and search_path are
 * set.
 * @throws TenantctlError MIGRATION_FAILED with tenant, migration and statement, MIGRATION_IRREVERSIBLE
 */
export async function runAction(
  client: PoolClient,
  context: Pick<RunContext, 'knex' | 'readStatements'>,
  migration: Migration,
  options: ActionOptions,
): Promise<void> {
  const { target, direction } = options;
  const action = direction === 'up' ? migration.up : migration.down;
  if (action === undefined) throw irreversible(migration, target);
  const inTransaction = runsInTransaction(migration, direction);
  const check = checkStatements(client, context.readStatements, migration, target, { inTransaction });
  const call = { ...options, client, migration, inTransaction, check };
  const seen =
    action.kind === 'sql'
      ? await runSql(call, action.text)
      : await runFunction(call, await context.knex(), action.run);
  if (inTransaction) assertTransactionAlive(client, migration, target, seen);
}

interface ActionCall extends ActionOptions {
  readonly client: PoolClient;
  readonly migration: Migration;
  readonly inTransaction: boolean;
  readonly check: StatementCheck | undefined;
}

/** Sends the text of an .sql migration: in a transaction as it is, outside one statement by statement. */
async function runSql(call: ActionCall, sql: string): Promise<Seen> {
  const { client, migration, inTransaction, check, target, onStatement, recording } = call;
  const around: Around = call.around ?? ((_text, send) => send());
  // PostgreSQL makes one transaction of a string of several statements.
  const statements = inTransaction ? [sql] : await splitStatements(sql, migration.file.name);
  for (const text of statements) {
    if (text === '') continue;
    if (inTransaction && (await endsTransaction(text))) throw endedItself(migration, target);
    if (target.role !== undefined && (await changesRole(text))) throw changedRole(migration, target, text);
    await check?.(text);
    onStatement?.({ text, values: [] });
    recording?.sent({ text, values: [] });
    await around(text, () => client.query(text)).catch((error: unknown) => {
      throw failed(migration, target, error, { text, values: [], error, message: messageOf(error) });
    });
  }
  return { failures: [] };
}

/** Calls the function of a migration with its Knex. @returns what was seen of its statements */
async function runFunction(
  call: ActionCall,
  factory: KnexFactory,
  action: (knex: Knex) => unknown,
): Promise<Seen> {
  const { client, migration, inTransaction, check, target, around, onStatement, recording } = call;
  const { schema, clerkOrgId, role } = target;
  const session = {
    userParams: { schema, ...(clerkOrgId !== undefined && { clerkOrgId }) },
    keepsRole: role !== undefined,
    check,
    onStatement,
    around,
    recording,
  };
  const run = inTransaction ? factory.withinTransaction : factory.outsideTransaction;
  let seen: Seen = { failures: [] };
  await run(client, session, async (knexSession) => {
    seen = knexSession.seen;
    await action(knexSession.knex);
  }).catch((error: unknown) => {
    throw failed(migration, target, error, failureBehind(error, seen));
  });
  return seen;
}

function assertTransactionAlive(client: PoolClient, migration: Migration, target: Target, seen: Seen): void {
  const status = client.getTransactionStatus();
  if (status === 'T') return;
  if (status !== 'E') throw endedItself(migration, target);
  const first = seen.failures.at(-1);
  throw new TenantctlError(
    'MIGRATION_FAILED',
    `${migration.file.name} went on after a statement had failed; its transaction is lost${first === undefined ? '' : `: ${first.message}`}.`,
    {
      tenant: target.clerkOrgId,
      migration: migration.file.name,
      sqlstate: sqlstateOf(first?.error),
      statement: first?.text,
      hint: 'A statement that may fail needs a savepoint: await knex.transaction(async (inner) => { … }).',
      cause: first?.error,
    },
  );
}
