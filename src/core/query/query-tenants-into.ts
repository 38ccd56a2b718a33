import type { PoolClient } from 'pg';
import type { Database } from '../../db/database.ts';
import { toDatabaseError } from '../../db/database-error.ts';
import { lockKey } from '../../db/advisory-lock.ts';
import { literal, qualified } from '../../db/sql.ts';
import { withTransaction } from '../../db/transaction.ts';
import { TenantctlError } from '../../errors.ts';
import { checkCall } from '../options/check-call.ts';
import { DEFAULT_LOCK_TIMEOUT_MS } from '../run/run-context.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { askTenants, type QueryTenantsOptions, type QueryTenantsResult } from './query-tenants.ts';
import { openReport, type Report } from './report.ts';
import {
  assertReplaceable,
  parseTableName,
  readTableFacts,
  shownName,
  type ReportColumn,
  type TableName,
} from './report-table.ts';
import { parseQuery } from './statement.ts';

export interface QueryTenantsIntoOptions extends Omit<QueryTenantsOptions, 'onRows'> {
  /** `table` in public, or `schema.table`, as written in the database. The schema exists; the table is created. */
  readonly table: string;
  /** Replaces the rows even if some tenants failed: those have none then. */
  readonly allowPartial?: boolean | undefined;
}

export interface QueryTenantsIntoResult extends QueryTenantsResult {
  readonly into: {
    readonly table: string;
    /** False if the table is as it was before. */
    readonly replaced: boolean;
    /** Rows that were written; 0 if nothing was replaced. */
    readonly rows: number;
  };
}

/**
 * queryTenants whose rows become the content of one table, with the organization as first column. One transaction
 * deletes the old rows and writes the new ones: readers are never blocked, and see the old rows until it commits.
 * Nothing is replaced if the run is stopped, if no tenant answers, or, without `allowPartial`, if one fails. Needs a
 * pool of 2 connections.
 * @throws TenantctlError as queryTenants does; USAGE for an embedded database; TABLE_UNUSABLE for a table that no
 *   earlier call has made; LOCK_TIMEOUT if somebody else writes to it; DATABASE_ERROR if the rows cannot be written
 */
export async function queryTenantsInto(
  database: Database,
  given: QueryTenantsIntoOptions,
): Promise<QueryTenantsIntoResult> {
  const options = checkCall(database, given, 'sql', 'table');
  const query = await parseQuery(options.sql);
  const name = parseTableName(options.table);
  if (!database.hasParallelSessions)
    throw new TenantctlError(
      'USAGE',
      'The embedded database has one session; writing into a table needs two.',
      {
        hint: 'Use a server, or write the rows to a file: tenantctl exec --format csv',
      },
    );
  return database.inTurn(() => replaceRows(database, options, name, query));
}

async function replaceRows(
  database: Database,
  options: QueryTenantsIntoOptions,
  name: TableName,
  query: string,
): Promise<QueryTenantsIntoResult> {
  await assertRegistry(database);
  // With a place of its own, it cannot wait for tenants that wait for its connection. COPY takes as long as they do.
  const lockTimeoutMs = options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS;
  const settings = { purpose: 'lease', lockTimeoutMs, statementTimeoutMs: 0 } as const;
  return withTransaction(database, settings, [], async (transaction) => {
    const { client } = transaction;
    const report = openReport(client, database.names, name, await lockTable(database, client, name));
    let isOver = false;
    try {
      const result = await askInto(database, options, query, report);
      if (report.failure !== undefined && !result.interrupted) throw report.failure;
      const replaced = mayReplace(result, options.allowPartial);
      if (replaced) {
        await report.end(result.tenants.filter(({ outcome }) => outcome !== 'answered'));
        await transaction.commitWith([]);
        isOver = true;
      } else transaction.abandon();
      return { ...result, into: { table: shownName(name), replaced, rows: replaced ? rowsOf(result) : 0 } };
    } finally {
      if (!isOver) await report.abort();
    }
  });
}

/** Stops asking once the table cannot be written. */
async function askInto(
  database: Database,
  options: QueryTenantsIntoOptions,
  query: string,
  report: Report,
): Promise<QueryTenantsResult> {
  const broken = new AbortController();
  const signal = AbortSignal.any([broken.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const onRows: QueryTenantsOptions['onRows'] = async (page) => {
    try {
      await report.take(page);
    } finally {
      if (report.failure !== undefined) broken.abort();
    }
  };
  const result = await askTenants(database, { ...options, signal, onRows }, query);
  return { ...result, interrupted: result.interrupted && options.signal?.aborted === true };
}

/** Pure. */
function mayReplace({ totals, interrupted }: QueryTenantsResult, allowPartial = false): boolean {
  const { selected, answered, skipped } = totals;
  if (interrupted || skipped > 0 || answered === 0) return false;
  return answered === selected || allowPartial;
}

function rowsOf({ tenants }: QueryTenantsResult): number {
  return tenants.reduce((sum, { outcome, rows }) => sum + (outcome === 'answered' ? rows : 0), 0);
}

/**
 * Locks the table against other writers: two runs that delete and insert at once would leave the rows of both. Readers
 * are not blocked (https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES). A table that two runs
 * would create cannot be locked yet: its name is, first.
 * @returns its columns; undefined if there is no table yet
 */
async function lockTable(
  database: Database,
  client: PoolClient,
  name: TableName,
): Promise<readonly ReportColumn[] | undefined> {
  const read = async () => {
    const facts = await readTableFacts(client, database.names, name);
    assertReplaceable(name, database.names, facts);
    return facts;
  };
  await read();
  const key = lockKey(literal(`into:${name.schema}.${name.table}`));
  try {
    await client.query(`SELECT pg_advisory_xact_lock(${key})`);
    if ((await read()).kind === null) return undefined;
    await client.query(`LOCK TABLE ${qualified(name.schema, name.table)} IN SHARE ROW EXCLUSIVE MODE`);
  } catch (thrown) {
    const error = toDatabaseError(thrown);
    if (error.sqlstate !== '55P03') throw error;
    throw new TenantctlError('LOCK_TIMEOUT', `Somebody else writes to ${shownName(name)}.`, {
      sqlstate: error.sqlstate,
      hint: 'Run the command again when that has ended, or allow more time with --lock-timeout.',
      cause: thrown,
    });
  }
  return (await read()).columns;
}
