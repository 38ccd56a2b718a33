import type { PoolClient } from 'pg';
import { copyIn, copyLine, type CopyIn } from '../../db/copy-in.ts';
import { toDatabaseError } from '../../db/database-error.ts';
import { keepLock } from '../../db/lock-keeper.ts';
import { identifier, literal, qualified } from '../../db/sql.ts';
import type { TenantctlError } from '../../errors.ts';
import type { Names } from '../../names.ts';
import type { TenantAnswer, TenantRows } from './query-tenants.ts';
import { createColumnTypes } from './column-types.ts';
import {
  areAlike,
  columnsDiffer,
  columnTwice,
  MARK,
  ORGANIZATION,
  shownName,
  type ReportColumn,
  type TableName,
} from './report-table.ts';

/** The new rows of a table, in an open transaction. */
export interface Report {
  /** Why no more rows can be written, if so. */
  readonly failure: TenantctlError | undefined;
  /** Writes a page of a tenant's rows. @throws TenantctlError `failure`; TABLE_UNUSABLE if its columns do not fit */
  take(page: TenantRows): Promise<void>;
  /** Ends writing, and removes the rows of these tenants. */
  end(without: readonly Pick<TenantAnswer, 'clerkOrgId'>[]): Promise<void>;
  /** Ends writing; the transaction can only be rolled back. */
  abort(): Promise<void>;
}

/** @param existing the columns of the table; undefined if it is to be created */
export function openReport(
  client: PoolClient,
  names: Names,
  name: TableName,
  existing: readonly ReportColumn[] | undefined,
): Report {
  const table = qualified(name.schema, name.table);
  const types = createColumnTypes(client, names);
  let expected = existing && { columns: existing, of: `the table ${shownName(name)}` };
  let failure: TenantctlError | undefined;
  let copy: CopyIn | undefined;
  let isEmptied = false;
  // Until the COPY begins, the transaction is idle.
  const keeper = keepLock(client);

  /** Frees the connection for other statements. */
  const pause = async () => {
    await keeper.release();
    await copy?.end();
    copy = undefined;
  };
  const resume = async (columns: readonly ReportColumn[]) => {
    await pause();
    if (!isEmptied)
      await client.query(existing === undefined ? createTable(table, columns) : `DELETE FROM ${table}`);
    isEmptied = true;
    return copyIn(client, `COPY ${table} FROM STDIN`);
  };
  const take = async ({ tenant, columns, rows }: TenantRows): Promise<TenantctlError | undefined> => {
    if (types.areUnknown(columns)) {
      await pause();
      await types.read(columns);
    }
    const wanted = types.of(columns);
    const twice = wanted.find((column, at) => wanted.findIndex((each) => each.name === column.name) !== at);
    if (twice !== undefined) return columnTwice(twice);
    expected ??= { columns: wanted, of: `"${tenant.clerkOrgId}", the first to answer,` };
    if (!areAlike(wanted, expected.columns)) return columnsDiffer(name, wanted, expected);
    copy ??= await resume(wanted);
    await copy.write(rows.map((row) => copyLine([tenant.clerkOrgId, ...row])).join(''));
    return undefined;
  };
  return {
    get failure() {
      return failure;
    },
    async take(page) {
      if (failure !== undefined) throw failure;
      const unfit = await take(page).catch((error: unknown) => {
        throw (failure = toDatabaseError(error));
      });
      if (unfit !== undefined) throw unfit;
    },
    async end(without) {
      await pause();
      if (without.length === 0) return;
      const organizations = without.map(({ clerkOrgId }) => clerkOrgId);
      await client.query(`DELETE FROM ${table} WHERE ${identifier(ORGANIZATION)} = ANY ($1::text[])`, [
        organizations,
      ]);
    },
    async abort() {
      await keeper.release();
      await copy?.abort();
    },
  };
}

function createTable(table: string, columns: readonly ReportColumn[]): string {
  const definitions = columns.map(({ name, shown }) => `${identifier(name)} ${shown}`);
  return `CREATE TABLE ${table} (${definitions.join(', ')}); COMMENT ON TABLE ${table} IS ${literal(MARK)}`;
}
