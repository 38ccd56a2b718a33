import { DatabaseError } from 'pg';
import { isFromNode } from '../../db/citus.ts';
import { isLoss, toDatabaseError } from '../../db/database-error.ts';
import { messageOf, TenantctlError, type ErrorDetails } from '../../errors.ts';
import { maskSecrets } from '../../secrets.ts';
import type { Direction, Migration } from '../files/load.ts';
import { placeOf } from '../files/source-place.ts';
import { migrationHint, outsideForm } from './migration-hint.ts';
import { markedOffset } from './refused-statement.ts';
import type { Target } from '../target/target.ts';
import {
  AWAIT_ALL,
  NotWaitedForError,
  StatementRefusedError,
  TransactionEndedError,
  type FailedStatement,
  type Seen,
} from '../../db/knex/statement.ts';

export interface FailedAction {
  readonly migration: Migration;
  readonly target: Target;
  readonly direction: Direction;
}

const CODES = { migration: 'MIGRATION_FAILED', seed: 'SEED_FAILED', hook: 'HOOK_FAILED' } as const;

export function migrationFailed(
  { migration, target }: Pick<FailedAction, 'migration' | 'target'>,
  message: string,
  details: ErrorDetails,
): TenantctlError {
  const { name, kind } = migration.file;
  const where = { tenant: target.clerkOrgId, migration: name };
  return new TenantctlError(CODES[kind ?? 'migration'], message, { ...where, ...details });
}

export function endedItself(action: FailedAction, cause?: unknown): TenantctlError {
  return migrationFailed(
    action,
    `${action.migration.file.name} ended its transaction itself (COMMIT or ROLLBACK). The transaction belongs to tenantctl, which commits it together with the history.`,
    {
      hint:
        action.migration.file.kind === 'hook'
          ? 'Leave COMMIT and ROLLBACK to tenantctl.'
          : `Leave COMMIT and ROLLBACK to tenantctl. What must run outside a transaction is a migration of its own, with: ${outsideForm(action.migration, action.direction)}`,
      cause,
    },
  );
}

/** A migration names a savepoint that it has not made; the statement was not sent. */
export function foreignSavepoint(action: FailedAction, name: string, statement: string): TenantctlError {
  const message = `${action.migration.file.name} goes back to the savepoint "${name}" or releases it, and has not made it itself.`;
  const hint = 'Make the savepoint in the same migration, or use knex.transaction(...).';
  return migrationFailed(action, message, { statement, hint });
}

export function changedRole(
  action: Pick<FailedAction, 'migration' | 'target'>,
  statement: string,
): TenantctlError {
  return migrationFailed(
    action,
    `${action.migration.file.name} changes its role itself (SET ROLE, RESET ROLE, SET SESSION AUTHORIZATION). With TENANT_ROLE a tenant's migrations run as ${action.target.role ?? 'its role'}, and as no other role.`,
    {
      statement,
      hint: 'Remove the statement. Move what needs more privileges to a master migration.',
    },
  );
}

/** Wraps what a migration threw in an error that names tenant, migration and statement. */
export function failed(
  action: FailedAction,
  thrown: unknown,
  statement: FailedStatement | undefined,
): TenantctlError {
  if (thrown instanceof TransactionEndedError) return endedItself(action, thrown);
  const { file } = action.migration;
  const { path } = file;
  if (thrown instanceof NotWaitedForError)
    return migrationFailed(action, `${file.name} ${thrown.problem}.`, {
      at: placeOf(thrown, path),
      statement: thrown.text,
      hint: AWAIT_ALL,
    });
  if (thrown instanceof StatementRefusedError && thrown.cause instanceof TenantctlError)
    return thrown.cause.with({ at: placeOf(thrown, path) });
  if (statement !== undefined && isLoss(statement.error))
    return toDatabaseError(statement.error, { tenant: action.target.clerkOrgId });
  const { error: cause, message } = statement ?? { error: thrown, message: messageOf(thrown) };
  const sqlstate = sqlstateOf(cause);
  const own = thrown instanceof TenantctlError ? thrown.hint : undefined;
  const offset = statement && (statement.offset ?? markedOffset(statement.text, cause));
  return migrationFailed(action, message, {
    at: statement?.at ?? placeOf(cause, path) ?? placeOf(thrown, path),
    sqlstate,
    statement: statement?.text,
    offset,
    hint:
      own ??
      roleHint(sqlstate, action.target) ??
      nodeHint(cause) ??
      migrationHint({ ...action, sqlstate, message }),
    details: statement && serverDetails(cause, { ...statement, offset }),
    cause,
  });
}

/** The nodes of a cluster do not know all that the coordinator knows. */
function nodeHint(cause: unknown): string | undefined {
  const isRefused = cause instanceof DatabaseError && /^(?:0A|3F|42(?!501))/.test(cause.code ?? '');
  return isRefused && isFromNode(cause.where)
    ? 'A node of the Citus cluster refused it. docs/citus.md, "What migrations cannot do", has statements that nodes do not take, and what to write instead.'
    : undefined;
}

/** The hint for 42501 (insufficient_privilege) if the migration ran as the tenant's role. */
function roleHint(sqlstate: string | undefined, { role, schema }: Target): string | undefined {
  if (role === undefined || sqlstate !== '42501') return undefined;
  return `With TENANT_ROLE it ran as ${role}, which has rights on ${schema} alone. A shared table that tenants refer to needs a grant in a master migration (GRANT SELECT, REFERENCES ON ... TO PUBLIC). Where the table is the tenant's own and belongs to another role, tenantctl doctor has the SQL that gives it to ${role}.`;
}

/** The statement that caused an error: in an aborted transaction (25P02), an earlier one. */
export function failureBehind(thrown: unknown, { failures }: Seen): FailedStatement | undefined {
  return sqlstateOf(thrown) === '25P02'
    ? failures.at(-1)
    : failures.find((failure) => failure.error === thrown);
}

export function sqlstateOf(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined;
}

/** The position in the statement, and the server's DETAIL, HINT and CONTEXT. */
function serverDetails(error: unknown, statement: FailedStatement): string[] | undefined {
  if (!(error instanceof DatabaseError)) return undefined;
  const { text, line, offset } = statement;
  const lines: string[] = [];
  // Part of a line may contain part of a password, which masking would not recognize.
  if (offset !== undefined && maskSecrets(text) === text) lines.push(...excerpt(text, offset, line));
  if (error.detail !== undefined) lines.push(`DETAIL: ${error.detail}`);
  if (error.hint !== undefined) lines.push(`HINT: ${error.hint}`);
  if (error.where !== undefined) lines.push(`CONTEXT: ${error.where}`);
  return lines.length > 0 ? lines : undefined;
}

const CHARACTERS_BEFORE = 50;
const CHARACTERS_AFTER = 30;

/** The line at an offset, with a caret under it. @param firstLine of the text */
function excerpt(text: string, offset: number, firstLine = 1): string[] {
  const before = text.slice(0, offset);
  const lineNumber = before.split('\n').length;
  const line = text.split('\n')[lineNumber - 1] ?? '';
  const column = before.length - (before.lastIndexOf('\n') + 1);
  const start = Math.max(0, column - CHARACTERS_BEFORE);
  const label = `line ${firstLine + lineNumber - 1}: ${start > 0 ? '...' : ''}`;
  const end = column + CHARACTERS_AFTER;
  return [
    `${label}${line.slice(start, end)}${end < line.length ? '...' : ''}`,
    `${' '.repeat(label.length + column - start)}^`,
  ];
}
