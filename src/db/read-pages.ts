import {
  DatabaseError,
  type Connection,
  type FieldDef,
  type PoolClient,
  type QueryResult,
  type Submittable,
} from 'pg';
import { TenantctlError } from '../errors.ts';
import { toDatabaseError } from './database-error.ts';
import { SIGN_OF_LIFE, SIGN_OF_LIFE_MS } from './dead-client.ts';
import { socketOf } from './pg-internals.ts';
import { ROLL_BACK, selectWithSettings, withClient, type TransactionSettings } from './transaction.ts';
import type { Database } from './database.ts';

/** A column of an answer. */
export interface Column {
  readonly name: string;
  /** The oid of its type in pg_type. */
  readonly type: number;
}

/** A part of an answer. */
export interface Page {
  readonly columns: readonly Column[];
  /** Values as PostgreSQL prints them; null for NULL. */
  readonly rows: readonly (readonly (string | null)[])[];
}

interface Answer extends Page {
  /** What the statement before the query returned. */
  readonly before: string | null;
  readonly isComplete: boolean;
}

/** Rows of the first page, before their size is known, and the most that any page has. */
const FIRST_ROWS = 50;
const MOST_ROWS = 500;

/** What a page should not exceed, in characters. */
const PAGE_LENGTH = 128 * 1024;

/** A portal with a name outlives SIGN_OF_LIFE. */
const PORTAL = 'tenantctl';

/**
 * Sends one query in a READ ONLY transaction of its own. An answer of many rows is fetched page by page, the next page
 * after `onPage` has taken the one before, so memory is bounded. The transaction is rolled back in any case and the
 * session cleaned, before the last page is returned.
 *
 * All statements go to the server with a single Sync behind them: after an error, the server skips the rest
 * (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY), so the query cannot run outside
 * the transaction. The extended protocol takes one statement only. The SELECT before the query takes the snapshot; from
 * then on the transaction cannot become READ WRITE (https://www.postgresql.org/docs/current/sql-set-transaction.html).
 *
 * The statement timeout holds for each page anew. A query that is fetched in pages runs without parallel workers
 * (https://www.postgresql.org/docs/current/when-can-parallel-query-be-used.html).
 *
 * @param settings `searchPath` begins with the schema that must be there
 * @returns the last page
 * @throws TenantctlError DATABASE_ERROR; SCHEMA_MISSING; whatever `onPage` throws
 */
export async function readPages(
  database: Database,
  settings: TransactionSettings & { readonly searchPath: readonly string[] },
  query: string,
  onPage: (page: Page) => Promise<void>,
): Promise<Page> {
  const opening = [
    'BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY',
    selectWithSettings(database, settings, 'current_schema()'),
  ];
  const [schema = ''] = settings.searchPath;
  try {
    return await withClient(database, async (client, spoil) => {
      try {
        let answer = await ask(client, (connection) => {
          for (const text of opening) execute(connection, text);
          execute(connection, query, { portal: PORTAL, rows: FIRST_ROWS });
        });
        const { columns, before } = answer;
        if (before !== schema) throw schemaUnusable(schema);
        while (!answer.isComplete) {
          await withSignsOfLife(client, onPage({ columns, rows: answer.rows }));
          const rows = String(rowsPerPage(answer));
          answer = await ask(client, (connection) => connection.execute({ portal: PORTAL, rows }, true));
        }
        return { columns, rows: answer.rows };
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
 * A rollback takes back settings, roles, cursors, temporary tables and LISTEN. It leaves the session's advisory locks, and
 * statements that a function has prepared: such a session is not used again. ROLL_BACK does the same for any session,
 * at twice the time.
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

const READ_ONLY_HINT = 'The query runs in a READ ONLY transaction: it can change nothing.';

/** Prepares a statement and executes it; with a portal, so many rows of it, with a description of its columns. */
function execute(
  connection: Connection,
  text: string,
  { portal, rows }: { readonly portal?: string; readonly rows?: number } = {},
): void {
  connection.parse({ name: '', text, types: [] }, true);
  connection.bind({ portal }, true);
  if (portal !== undefined) connection.describe({ type: 'P', name: portal }, true);
  connection.execute({ portal, rows: rows === undefined ? undefined : String(rows) }, true);
}

/**
 * Sends messages of the extended protocol and a Sync, and gathers the answer. pg calls these handlers, as it does those
 * of pg-cursor (https://github.com/brianc/node-postgres/blob/master/packages/pg-cursor/index.js).
 */
function ask(client: PoolClient, send: (connection: Connection) => void): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let columns: Column[] | undefined;
    let before: string | null = null;
    let isComplete = true;
    const rows: (string | null)[][] = [];
    const query: Submittable & Record<`handle${string}`, (message: never) => void> = {
      submit(connection) {
        const socket = socketOf(client);
        socket.cork();
        send(connection);
        connection.sync();
        socket.uncork();
      },
      handleRowDescription({ fields }: { readonly fields: readonly FieldDef[] }) {
        // The only row so far is that of the statement before the query.
        before = rows.pop()?.at(-1) ?? null;
        columns = fields.map(({ name, dataTypeID }) => ({ name, type: dataTypeID }));
      },
      handleDataRow({ fields }: { readonly fields: (string | null)[] }) {
        rows.push(fields);
      },
      handlePortalSuspended() {
        isComplete = false;
      },
      handleCommandComplete() {},
      handleEmptyQuery() {},
      handleError: reject,
      handleReadyForQuery: () => resolve({ columns: columns ?? [], rows, before, isComplete }),
    };
    client.query(query);
  });
}

/** Keeps the server from ending an idle transaction, however long `wait` takes. */
async function withSignsOfLife(client: PoolClient, wait: Promise<void>): Promise<void> {
  let sign: Promise<unknown> | undefined;
  const timer = setInterval(() => {
    sign = client.query(SIGN_OF_LIFE).catch(() => {});
  }, SIGN_OF_LIFE_MS);
  try {
    await wait;
    await sign;
  } finally {
    clearInterval(timer);
  }
}

/** How many rows fit in a page, judged by those of this one. */
function rowsPerPage({ rows }: Page): number {
  let length = 0;
  for (const row of rows) for (const value of row) length += value?.length ?? 0;
  return Math.max(1, Math.min(MOST_ROWS, Math.floor((PAGE_LENGTH * rows.length) / (length + 1))));
}

/** What does not exist, or may not be used, is left out of the search path in silence, and public would answer. */
function schemaUnusable(schema: string): TenantctlError {
  return new TenantctlError(
    'SCHEMA_MISSING',
    `The schema ${schema} does not exist, or this role may not use it.`,
    { hint: 'tenantctl doctor names missing schemas and missing rights.' },
  );
}
