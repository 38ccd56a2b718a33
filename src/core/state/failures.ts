import { literal } from '../../db/sql.ts';
import type { ErrorReport } from '../../errors.ts';
import type { Intent } from './intents.ts';
import type { Database } from '../../db/database.ts';

/** A tenant's last failure, as it was recorded. */
export interface RecordedFailure {
  readonly command: string;
  readonly error: ErrorReport;
  readonly failedAt: Date;
}

/** What is remembered about tenants, by schema; empty where the tenantctl schema is absent. */
export interface Memory {
  readonly failures: ReadonlyMap<string, RecordedFailure>;
  readonly intents: ReadonlyMap<string, Intent>;
}

/** Reads all failures and intents: both tables hold exceptions, so they are short. */
export async function readMemory(database: Database, stateVersion: number): Promise<Memory> {
  if (stateVersion === 0) return { failures: new Map(), intents: new Map() };
  const failures = await database.query<{
    schema_name: string;
    command: string;
    error: ErrorReport;
    failed_at: Date;
  }>('SELECT schema_name, command, error, failed_at FROM tenantctl.tenant_failures');
  const intents = await database.query<{
    schema_name: string;
    migration: string;
    direction: 'up' | 'down';
    started_at: Date;
  }>('SELECT schema_name, migration, direction, started_at FROM tenantctl.intents');
  return {
    failures: new Map(
      failures.rows.map((row) => [
        row.schema_name,
        { command: row.command, error: row.error, failedAt: row.failed_at },
      ]),
    ),
    intents: new Map(
      intents.rows.map((row) => [
        row.schema_name,
        { migration: row.migration, direction: row.direction, startedAt: row.started_at },
      ]),
    ),
  };
}

export function forgetFailure(schema: string): string {
  return `DELETE FROM tenantctl.tenant_failures WHERE schema_name = ${literal(schema)}`;
}

/** The statement that forgets a failure where it was one of this migration. */
export function forgetFailureAt(schema: string, migration: string): string[] {
  return [`${forgetFailure(schema)} AND error ->> 'migration' = ${literal(migration)}`];
}
