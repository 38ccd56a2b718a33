import { basename } from 'node:path';
import { checkOptions } from '../options/check-options.ts';
import type { FieldDef } from 'pg';
import { isLoss } from '../../db/database-error.ts';
import { withTransaction } from '../../db/transaction.ts';
import { messageOf, TenantctlError, toTenantctlError, type ErrorDetails } from '../../errors.ts';
import { readTextFile } from '../../text-file.ts';
import type { RunContext } from '../run/run-context.ts';
import { parseSql } from '../files/parse-sql.ts';
import { tenantTarget } from '../target/target.ts';
import type { RegisteredTenant } from '../registry/registry.ts';

/** A query that shows whether a tenant is healthy: see readTenantCheck. */
export interface TenantCheck {
  readonly name: string;
  /** One SELECT, WITH, VALUES or TABLE, without a semicolon. */
  readonly query: string;
}

/** How many rows of an answer are shown, and how many characters of each. */
const ROWS_SHOWN = 5;
const ROW_LENGTH = 200;

/** The type of a boolean column (https://www.postgresql.org/docs/current/catalog-pg-type.html). */
const BOOLEAN = 16;

/** Reads a check's file. @throws TenantctlError CHECK_INVALID if it is unreadable or not one valid query */
export async function readTenantCheck(path: string): Promise<TenantCheck> {
  checkOptions({ path }, 'path');
  const name = basename(path);
  const invalid = (what: string, cause?: unknown) =>
    new TenantctlError('CHECK_INVALID', `The check ${path} ${what}.`, {
      hint: 'It must contain one query that returns true, or no rows, for a healthy tenant.',
      cause,
    });
  let text: string;
  try {
    text = readTextFile(path);
  } catch (error) {
    throw invalid(`cannot be read: it ${messageOf(error)}`, error);
  }
  const statements = await parseSql(text).catch((error: unknown) => {
    throw invalid(`does not parse: ${messageOf(error)}`, error);
  });
  const [statement] = statements;
  if (statement === undefined) throw invalid('is empty');
  if (statements.length > 1) throw invalid(`has ${statements.length} statements`);
  if (statement.kind !== 'SelectStmt') throw invalid('is not a query');
  return { name, query: statement.text };
}

/** The rows that a check returned, shortened; undefined if the tenant passed. Pure. */
export function objections(
  rows: readonly Readonly<Record<string, unknown>>[],
  fields: readonly Pick<FieldDef, 'dataTypeID'>[],
): readonly string[] | undefined {
  if (rows.length === 0) return undefined;
  const [row] = rows;
  const isBoolean = rows.length === 1 && fields.length === 1 && fields[0]?.dataTypeID === BOOLEAN;
  if (isBoolean && row !== undefined && Object.values(row)[0] === true) return undefined;
  const shown = rows.slice(0, ROWS_SHOWN).map((each) => {
    const json = JSON.stringify(each, (_key, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    return json.length > ROW_LENGTH ? `${json.slice(0, ROW_LENGTH - 3)}...` : json;
  });
  return rows.length > ROWS_SHOWN ? [...shown, '... and more rows'] : shown;
}

/**
 * Checks a tenant in a READ ONLY transaction. Never throws.
 * @param migration the earliest applied migration that no check has passed
 * @param isDataChange no migration was applied before the check
 * @returns why the tenant was refused; undefined if it passed
 */
export async function checkTenant(
  context: RunContext,
  tenant: RegisteredTenant,
  check: TenantCheck,
  migration: string | undefined,
  isDataChange = false,
): Promise<TenantctlError | undefined> {
  const { database, lockTimeoutMs, statementTimeoutMs } = context;
  const { searchPath } = tenantTarget(database.names, tenant);
  const settings = { searchPath, lockTimeoutMs, statementTimeoutMs };
  const refused = (what: string, details: ErrorDetails) =>
    isDataChange
      ? new TenantctlError('CHECK_REFUSED', `The check ${check.name} ${what}`, {
          ...details,
          ...afterDataChange(tenant),
        })
      : refusal(check, tenant, migration, what, details);
  // With a cursor, a million rows cost no more than those shown. Plan for reading all rows:
  // https://www.postgresql.org/docs/current/runtime-config-query.html#GUC-CURSOR-TUPLE-FRACTION
  const opening = [
    'SET TRANSACTION READ ONLY',
    'SET LOCAL cursor_tuple_fraction = 1',
    `DECLARE tenantctl_check NO SCROLL CURSOR FOR ${check.query}\n`,
    `FETCH ${ROWS_SHOWN + 1} FROM tenantctl_check`,
  ];
  try {
    const { rows = [], fields = [] } =
      (await withTransaction(database, settings, opening, async (transaction) => {
        transaction.abandon();
        return transaction.opening.at(-1);
      })) ?? {};
    const details = objections(rows, fields);
    if (details === undefined) return undefined;
    const [answer] = rows.length === 1 ? Object.values(rows[0] ?? {}) : [];
    const isNo = fields.length === 1 && fields[0]?.dataTypeID === BOOLEAN && answer !== undefined;
    return isNo
      ? refused(`returned ${answer === null ? 'NULL' : 'false'}.`, {})
      : refused(`found ${amount(rows.length)}.`, { details });
  } catch (thrown) {
    const error = toTenantctlError(thrown);
    const what = isLoss(error) ? 'got no answer' : 'failed';
    return refused(`${what}: ${error.message}`, { sqlstate: error.sqlstate, cause: error });
  }
}

function afterDataChange({ clerkOrgId: tenant }: RegisteredTenant): ErrorDetails {
  return { tenant, hint: 'What was written in the tenant stays. Correct its data, or the check.' };
}

/** The refusal of a tenant whose check has not been run yet. */
export function notRunYet(check: TenantCheck, tenant: RegisteredTenant, migration: string): TenantctlError {
  return refusal(check, tenant, migration, 'has not been run yet.', {});
}

function refusal(
  { name }: TenantCheck,
  { clerkOrgId: tenant }: RegisteredTenant,
  migration: string | undefined,
  what: string,
  details: ErrorDetails,
): TenantctlError {
  const subject = `${migration === undefined ? 'The' : `After ${migration}, the`} check ${name}`;
  return new TenantctlError('CHECK_REFUSED', `${subject} ${what}`, {
    ...details,
    tenant,
    migration,
    hint: `${isLoss(details.cause) ? 'Run the check again' : "Correct the tenant's data, or the check"}. The tenant stays failed until the check passes (tenantctl migrate tenants --check with ${name}), or until what was applied is undone (tenantctl rollback tenants --tenant <org>).`,
  });
}

function amount(rows: number): string {
  if (rows > ROWS_SHOWN) return `more than ${ROWS_SHOWN} rows`;
  return rows === 1 ? 'this row' : `${rows} rows`;
}
