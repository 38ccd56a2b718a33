import { MAX_TEXT } from '../../bounded.ts';
import { literal, qualified } from '../../db/sql.ts';
import { TenantctlError, type ErrorReport } from '../../errors.ts';
import type { Database } from '../../db/database.ts';
import { tenantId } from './tenant-ids.ts';

/** The last failure of a tenant; a refused check stays until `forgetRefusals` or `forgetUndoneRefusal`. */
export interface RecordedFailure {
  readonly command: string;
  readonly error: ErrorReport;
  readonly failedAt: Date;
}

/**
 * SQL for a recorded error with its texts cut: earlier releases recorded statements of megabytes, and those of a
 * fleet fit no document. A short error is not taken apart.
 */
export function recordedError(column: string): string {
  const cut = (value: string, otherwise: string) =>
    `CASE jsonb_typeof(${value}) WHEN 'string' THEN to_jsonb(left(${value} #>> '{}', ${MAX_TEXT})) ${otherwise} END`;
  const lines = `(SELECT coalesce(jsonb_agg(${cut('line', 'ELSE line')}), '[]') FROM jsonb_array_elements(value) AS line)`;
  return `CASE WHEN pg_column_size(${column}) <= ${MAX_TEXT} THEN ${column} ELSE (
    SELECT jsonb_object_agg(key, ${cut('value', `WHEN 'array' THEN ${lines} ELSE value`)}) FROM jsonb_each(${column})) END`;
}

/** The refused checks among recorded failures, by schema. Pure. */
export function refusalsIn(
  failures: ReadonlyMap<string, Pick<RecordedFailure, 'error'>>,
): ReadonlyMap<string, TenantctlError> {
  const refused = [...failures].filter(([, { error }]) => error.code === 'CHECK_REFUSED');
  return new Map(
    refused.map(([schema, { error }]) => [schema, new TenantctlError(error.code, error.message, error)]),
  );
}

const IS_REFUSAL = `error ->> 'code' = 'CHECK_REFUSED'`;

/** Keeps a refused check. @param migration only if it was a failure of this migration */
export function forgetFailure(schema: string, migration?: string): string {
  const also = migration === undefined ? '' : ` AND error ->> 'migration' = ${literal(migration)}`;
  return `DELETE FROM tenantctl.tenant_failures WHERE tenant = ${tenantId(schema)} AND NOT ${IS_REFUSAL}${also}`;
}

/** For the transaction that takes the tenant's schema away. */
export function forgetAllFailures(schema: string): string {
  return `DELETE FROM tenantctl.tenant_failures WHERE tenant = ${tenantId(schema)}`;
}

/** For the transaction of a rollback, after the history: forgets a check that refused what was undone. */
export function forgetUndoneRefusal(schema: string, historyTable: string): string {
  // A condition on a table of a node is not allowed where rows of another are deleted.
  return `WITH done AS MATERIALIZED (SELECT name FROM ${qualified(schema, historyTable)})
    DELETE FROM tenantctl.tenant_failures f WHERE tenant = ${tenantId(schema)} AND ${IS_REFUSAL}
    AND NOT EXISTS (SELECT FROM done WHERE done.name = f.error ->> 'migration')`;
}

/**
 * For the transaction of a migration in a run with a check: no check has passed yet. So a check that an interrupted
 * or killed run has not asked is asked by the next one. An earlier refusal stays.
 */
export function noteUnchecked(schema: string, command: string, error: TenantctlError): string {
  return `INSERT INTO tenantctl.tenant_failures AS f (tenant, command, error)
    VALUES (${tenantId(schema)}, ${literal(command)}, ${literal(JSON.stringify(error))}::jsonb)
    ON CONFLICT (tenant) DO UPDATE SET command = excluded.command, error = excluded.error, failed_at = now()
    WHERE NOT f.${IS_REFUSAL}`;
}

/** Keeps refused checks. */
export function forgetFailures(database: Database, schemas: readonly string[]): Promise<void> {
  return forget(database, schemas, `NOT ${IS_REFUSAL}`);
}

/** After a check has passed. */
export function forgetRefusals(database: Database, schemas: readonly string[]): Promise<void> {
  return forget(database, schemas, IS_REFUSAL);
}

async function forget(database: Database, schemas: readonly string[], condition: string): Promise<void> {
  if (schemas.length === 0) return;
  await database.query(
    `DELETE FROM tenantctl.tenant_failures f USING tenantctl.tenants k
     WHERE k.id = f.tenant AND k.schema_name = ANY ($1::text[]) AND k.gone_at IS NULL AND ${condition}`,
    [schemas],
  );
}
