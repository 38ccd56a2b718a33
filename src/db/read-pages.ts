import { DatabaseError, type Connection, type FieldDef, type PoolClient, type QueryResult } from 'pg';
import { TenantctlError } from '../errors.ts';
import { toDatabaseError } from './database-error.ts';
import { keepLock } from './lock-keeper.ts';
import { socketOf } from './pg-internals.ts';
import { ROLL_BACK, selectWithSettings, withClient, type TransactionSettings } from './transaction.ts';
import type { Database } from './database.ts';

export interface Column {
  readonly name: string;
  /** Type oid, as in pg_type. */
  readonly type: number;
}

export interface Page {
  readonly columns: readonly Column[];
  /** Values as PostgreSQL prints them; null for NULL. */
  readonly rows: readonly (readonly (string | null)[])[];
}

interface Answer extends Page {
  readonly rows: (string | null)[][];
  readonly isComplete: boolean;
}

/** Rows of the first page, before their size is known. */
const FIRST_ROWS = 50;
const MOST_ROWS = 500;

/** Target size of a page, in characters. */
const PAGE_LENGTH = 128 * 1024;

/** Named, because a lock keeper's simple queries close an unnamed portal. */
const PORTAL = 'tenantctl';

const READ_ONLY_HINT = 'The query runs in a READ ONLY transaction: it can change nothing.';

/**
 * Sends one query in its own READ ONLY transaction. A long result is fetched page by page, the next after
 * `onPage` has taken the previous one, so memory is bounded. The transaction is always rolled back and the
 * session cleaned before the last page is returned.
 *
 * All statements are sent with one Sync: after an error the server skips the rest
 * (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY), so the query cannot
 * run outside the transaction. The extended protocol takes one statement only. The SELECT before the query
 * takes the snapshot, after which the transaction cannot become READ WRITE
 * (https://www.postgresql.org/docs/current/sql-set-transaction.html).
 *
 * The statement timeout applies to each page. A paged query runs without parallel workers
 * (https://www.postgresql.org/docs/current/when-can-parallel-query-be-used.html).
 * @param settings `searchPath` begins with the schema that must exist
 * @returns the last page
 * @throws TenantctlError DATABASE_ERROR; SCHEMA_MISSING; whatever `onPage` throws
 */
export async function readPages(
  database: Database,
  settings: TransactionSettings & { readonly searchPath: readonly string[] },
  query: string,
  onPage: (page: Page) => Promise<void>,
): Promise<Page> {
  const [schema = ''] = settings.searchPath;
  const begin = 'BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY';
  // The role or the database may round what is printed.
  const exact = `set_config('extra_float_digits', '1', true), current_schema()`;
  const prepare = selectWithSettings(database, settings, exact);
  const read = async (client: PoolClient): Promise<Page> => {
    let answer = await ask(client, (connection) => {
      execute(connection, begin);
      execute(connection, prepare);
      execute(connection, query, PORTAL);
    });
    const { columns } = answer;
    // The first row is that of `prepare`.
    if (answer.rows.shift()?.at(-1) !== schema) throw schemaUnusable(schema);
    while (!answer.isComplete) {
      const keeper = keepLock(client);
      try {
        await onPage({ columns, rows: answer.rows });
      } finally {
        await keeper.release();
      }
      const rows = String(rowsPerPage(answer));
      answer = await ask(client, (connection) => connection.execute({ portal: PORTAL, rows }, true));
    }
    return { columns, rows: answer.rows };
  };
  try {
    return await withClient(database, async (client, spoil) => {
      try {
        return await read(client);
      } finally {
        await end(database, client, spoil).catch(spoil);
      }
    });
  } catch (error) {
    const hint = error instanceof DatabaseError && error.code === '25006' ? READ_ONLY_HINT : undefined;
    throw toDatabaseError(error, { hint }).concealing(database.conceal);
  }
}

/**
 * A rollback undoes settings, roles, cursors, temporary tables and LISTEN, but not advisory locks or
 * statements that a function has prepared: such a session is discarded. ROLL_BACK cleans any session but
 * takes twice as long.
 */
async function end(database: Database, client: PoolClient, spoil: () => void): Promise<void> {
  if (database.mayQueueStatements || !database.hasParallelSessions) {
    await client.query(ROLL_BACK);
    return;
  }
  const results = await client.query(
    'ROLLBACK; SELECT pg_advisory_unlock_all(), EXISTS (SELECT FROM pg_prepared_statements WHERE from_sql) AS dirty',
  );
  const [, { rows }] = results as unknown as [unknown, QueryResult<{ readonly dirty: boolean }>];
  if (rows[0]?.dirty !== false) spoil();
}

/** Prepares and executes a statement. With a portal, the answer has columns and only the first rows. */
function execute(connection: Connection, text: string, portal?: string): void {
  connection.parse({ name: '', text, types: [] }, true);
  connection.bind({ portal }, true);
  if (portal !== undefined) connection.describe({ type: 'P', name: portal }, true);
  connection.execute({ portal, rows: portal === undefined ? undefined : String(FIRST_ROWS) }, true);
}

/**
 * Sends extended-protocol messages and a Sync, and collects the answer. pg calls these handlers as it does
 * pg-cursor's (https://github.com/brianc/node-postgres/blob/master/packages/pg-cursor/index.js).
 */
function ask(client: PoolClient, send: (connection: Connection) => void): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let columns: Column[] = [];
    let isComplete = true;
    const rows: Answer['rows'] = [];
    const query = {
      submit(connection: Connection) {
        const socket = socketOf(client);
        socket.cork();
        send(connection);
        connection.sync();
        socket.uncork();
      },
      handleRowDescription({ fields }: { readonly fields: readonly FieldDef[] }) {
        columns = fields.map(({ name, dataTypeID }) => ({ name, type: dataTypeID }));
      },
      handleDataRow: ({ fields }: { readonly fields: (string | null)[] }) => void rows.push(fields),
      handlePortalSuspended: () => void (isComplete = false),
      handleCommandComplete() {},
      handleEmptyQuery() {},
      handleError: reject,
      handleReadyForQuery: () => resolve({ columns, rows, isComplete }),
    };
    client.query(query);
  });
}

/** How many rows fit in a page, judging by this one. */
function rowsPerPage({ rows }: Page): number {
  const length = rows.flat().reduce((sum, value) => sum + (value?.length ?? 0), 1);
  return Math.max(1, Math.min(MOST_ROWS, Math.floor((PAGE_LENGTH * rows.length) / length)));
}

/** PostgreSQL skips missing or forbidden schemas in the search path, and public would answer. */
function schemaUnusable(schema: string): TenantctlError {
  return new TenantctlError(
    'SCHEMA_MISSING',
    `The schema ${schema} does not exist, or this role may not use it.`,
    { hint: 'tenantctl doctor names missing schemas and missing rights.' },
  );
}
