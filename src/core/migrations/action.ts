import { DatabaseError, type PoolClient } from 'pg';
import { hintFor } from '../../db/database-error.ts';
import type { FailedStatement, KnexFactory, SentStatement } from '../../db/knex-session.ts';
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

  if (action.kind === 'sql') {
    // In a transaction the text goes as it is; outside, PostgreSQL would make one transaction of a string of several.
    const statements = inTransaction
      ? [action.text]
      : await splitStatements(action.text, migration.file.name);
    for (const text of statements) {
      if (text === '') continue;
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
    let seen: { failed?: FailedStatement } = {};
    await run(client, session, async (knexSession) => {
      seen = knexSession.seen;
      await action.run(knexSession.knex);
    }).catch((error: unknown) => {
      throw failed(migration, target, error, seen.failed);
    });
  }
  if (inTransaction) assertTransactionAlive(client, migration, target);
}

function assertTransactionAlive(client: PoolClient, migration: Migration, target: Target): void {
  const status = client.getTransactionStatus();
  if (status === 'T') return;
  throw new TenantctlError(
    'MIGRATION_FAILED',
    status === 'E'
      ? `${migration.file.name} went on after a statement had failed; its transaction is lost.`
      : `${migration.file.name} ended its transaction itself (COMMIT or ROLLBACK).`,
    {
      tenant: target.clerkOrgId,
      migration: migration.file.name,
      hint:
        status === 'E'
          ? 'A statement that may fail needs a savepoint: await knex.transaction(async (inner) => { … }).'
          : 'Leave COMMIT and ROLLBACK to tenantctl. What must run outside a transaction exports config = { transaction: false }.',
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
  // The failure that came first explains the others: after it, a transaction refuses everything (25P02).
  const isServers = statement !== undefined && (thrown === statement.error || isAborted(thrown));
  const cause = isServers ? statement.error : thrown;
  const message = isServers ? statement.message : messageOf(thrown);
  const sqlstate = cause instanceof DatabaseError ? cause.code : undefined;
  const own = thrown instanceof TenantctlError ? toTenantctlError(thrown) : undefined;
  return new TenantctlError('MIGRATION_FAILED', message, {
    tenant: target.clerkOrgId,
    migration: migration.file.name,
    sqlstate,
    statement: isServers ? statement.text : undefined,
    hint: own?.hint ?? hintFor(sqlstate, message),
    details: isServers ? serverDetails(cause, statement.text) : undefined,
    cause,
  });
}

function isAborted(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === '25P02';
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
