import { DatabaseError, type PoolClient } from 'pg';
import { hintFor } from '../../db/database-error.ts';
import {
  TransactionEndedError,
  type FailedStatement,
  type KnexFactory,
  type Seen,
  type SentStatement,
} from '../../db/knex-session.ts';
import { endsTransaction } from '../../db/transaction-control.ts';
import { TenantctlError, toTenantctlError } from '../../errors.ts';
import type { Migration } from './load.ts';
import { splitStatements } from './split-statements.ts';
import type { Target } from './target.ts';

export type Direction = 'up' | 'down';

export interface ActionOptions {
  readonly target: Target;
  readonly direction: Direction;
  readonly onStatement?: ((statement: SentStatement) => void) | undefined;
}

export function runsInTransaction(migration: Migration, direction: Direction): boolean {
  return direction === 'up' ? migration.upInTransaction : migration.downInTransaction;
}

/**
 * Runs one migration in one direction, on a connection whose transaction (where it has one) and search_path are set.
 * @throws TenantctlError MIGRATION_FAILED with tenant, migration and statement, MIGRATION_IRREVERSIBLE
 */
export async function runAction(
  client: PoolClient,
  knexFactory: () => Promise<KnexFactory>,
  migration: Migration,
  options: ActionOptions,
): Promise<void> {
  const { target, direction } = options;
  const action = direction === 'up' ? migration.up : migration.down;
  if (action === undefined) throw irreversible(migration, target);
  const inTransaction = runsInTransaction(migration, direction);
  let seen: Seen = { failures: [] };

  if (action.kind === 'sql') {
    // In a transaction the text goes as it is; outside, PostgreSQL would make one transaction of a string of several.
    const statements = inTransaction
      ? [action.text]
      : await splitStatements(action.text, migration.file.name);
    for (const text of statements) {
      if (text === '') continue;
      if (inTransaction && (await endsTransaction(text))) throw endedItself(migration, target);
      options.onStatement?.({ text, values: [] });
      await client.query(text).catch((error: unknown) => {
        throw failed(migration, target, error, { text, values: [], error, message: messageOf(error) });
      });
    }
  } else {
    const factory = await knexFactory();
    const session = {
      userParams: {
        schema: target.schema,
        ...(target.clerkOrgId !== undefined && { clerkOrgId: target.clerkOrgId }),
      },
      onStatement: options.onStatement,
    };
    const run = inTransaction ? factory.withinTransaction : factory.outsideTransaction;
    await run(client, session, async (knexSession) => {
      seen = knexSession.seen;
      await action.run(knexSession.knex);
    }).catch((error: unknown) => {
      throw failed(migration, target, error, failureBehind(error, seen));
    });
  }
  if (inTransaction) assertTransactionAlive(client, migration, target, seen);
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

function endedItself(migration: Migration, target: Target, cause?: unknown): TenantctlError {
  return new TenantctlError(
    'MIGRATION_FAILED',
    `${migration.file.name} ended its transaction itself (COMMIT or ROLLBACK). The transaction belongs to tenantctl, which commits it together with the history.`,
    {
      tenant: target.clerkOrgId,
      migration: migration.file.name,
      hint: 'Leave COMMIT and ROLLBACK to tenantctl. What must run outside a transaction exports config = { transaction: false }.',
      cause,
    },
  );
}

function irreversible(migration: Migration, target: Target): TenantctlError {
  return new TenantctlError(
    'MIGRATION_IRREVERSIBLE',
    `${migration.file.name} has no "down": it cannot be undone.`,
    {
      tenant: target.clerkOrgId,
      migration: migration.file.name,
      hint: 'Write its down, or a new migration that undoes it.',
    },
  );
}

function failed(
  migration: Migration,
  target: Target,
  thrown: unknown,
  statement: FailedStatement | undefined,
): TenantctlError {
  if (thrown instanceof TransactionEndedError) return endedItself(migration, target, thrown);
  const cause = statement === undefined ? thrown : statement.error;
  const message = statement === undefined ? messageOf(thrown) : statement.message;
  const sqlstate = sqlstateOf(cause);
  const own = thrown instanceof TenantctlError ? toTenantctlError(thrown) : undefined;
  return new TenantctlError('MIGRATION_FAILED', message, {
    tenant: target.clerkOrgId,
    migration: migration.file.name,
    sqlstate,
    statement: statement?.text,
    hint: own?.hint ?? hintFor(sqlstate, message),
    details: statement === undefined ? undefined : serverDetails(cause, statement.text),
    cause,
  });
}

/** The statement that a thrown error comes from. What an aborted transaction refuses (25P02) comes from an earlier one. */
function failureBehind(thrown: unknown, { failures }: Seen): FailedStatement | undefined {
  return sqlstateOf(thrown) === '25P02'
    ? failures.at(-1)
    : failures.find((failure) => failure.error === thrown);
}

function sqlstateOf(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined;
}

/** DETAIL and HINT as the server gave them, and the place in the statement with a caret under it. */
function serverDetails(error: unknown, text: string): string[] | undefined {
  if (!(error instanceof DatabaseError)) return undefined;
  const lines: string[] = [];
  const position = Number(error.position);
  if (Number.isInteger(position) && position > 0) {
    const before = Array.from(text)
      .slice(0, position - 1)
      .join('');
    const lineNumber = before.split('\n').length;
    const column = before.length - (before.lastIndexOf('\n') + 1);
    lines.push(`line ${lineNumber}: ${text.split('\n')[lineNumber - 1] ?? ''}`);
    lines.push(`${' '.repeat(`line ${lineNumber}: `.length + column)}^`);
  }
  if (error.detail !== undefined) lines.push(`DETAIL: ${error.detail}`);
  if (error.hint !== undefined) lines.push(`HINT: ${error.hint}`);
  return lines.length > 0 ? lines : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
