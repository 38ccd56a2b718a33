import type { Database } from '../../db/connection.ts';
import { toDatabaseError } from '../../db/database-error.ts';
import { literal, qualified } from '../../db/sql.ts';

/** One row of a history table. */
export interface HistoryEntry {
  readonly name: string;
  readonly batch: number;
}

/** What a schema says about its migrations. */
export interface History {
  /** In the order in which they were applied (Knex's id). */
  readonly entries: readonly HistoryEntry[];
  /** Knex's own lock row is set: a Knex is migrating this schema, or died while it did. */
  readonly lockedByKnex: boolean;
}

export const EMPTY_HISTORY: History = { entries: [], lockedByKnex: false };

/** Knex's names for the two tables: https://knexjs.org/guide/migrations.html */
export const MASTER_HISTORY = 'knex_migrations_master';
export const TENANT_HISTORY = 'knex_migrations_tenant';

/** Where a history is kept, and which of its two tables exist. */
export interface HistoryTables {
  readonly schema: string;
  readonly table: typeof MASTER_HISTORY | typeof TENANT_HISTORY;
  readonly hasHistory: boolean;
  readonly hasLock: boolean;
}

export function lockTableOf(table: string): string {
  return `${table}_lock`;
}

/** How many histories one query reads: each takes a lock on two tables and an index until the query ends. */
const HISTORIES_PER_QUERY = 100;
const FIELD = '\u001f';
const ROW = '\u001e';

interface HistoryRow {
  readonly entries: string | null;
  readonly locked: boolean;
}

/**
 * The SELECT that reads one history; columns `entries` and `locked`.
 *
 * takeKnexLock also locks the row of Knex's lock table until the transaction ends, so that a Knex that starts in the
 * meantime waits; a row that a Knex at work has locked itself counts as set.
 */
export function selectHistory(
  tables: HistoryTables,
  options: { readonly takeKnexLock?: boolean } = {},
): string {
  const history = qualified(tables.schema, tables.table);
  const entries = tables.hasHistory
    ? `(SELECT string_agg(coalesce(batch, 0) || ${literal(FIELD)} || name, ${literal(ROW)} ORDER BY id) FROM ${history})`
    : 'NULL::text';
  return `SELECT ${entries} AS entries, ${selectKnexLock(tables, options.takeKnexLock ?? false)} AS locked`;
}

function selectKnexLock(tables: HistoryTables, take: boolean): string {
  if (!tables.hasLock) return 'false';
  const lock = qualified(tables.schema, lockTableOf(tables.table));
  return take
    ? `(SELECT coalesce(max(taken.is_locked), 0) <> 0 OR count(*) < (SELECT count(*) FROM ${lock})
        FROM (SELECT is_locked FROM ${lock} FOR UPDATE SKIP LOCKED) taken)`
    : `coalesce((SELECT max(is_locked) FROM ${lock}), 0) <> 0`;
}

/** A row of selectHistory as a History; equal texts give the same object, so that a fleet costs little memory. */
export function historyReader(): (row: HistoryRow) => History {
  const known = new Map<string, readonly HistoryEntry[]>();
  return (row) => {
    const text = row.entries ?? '';
    let entries = known.get(text);
    if (entries === undefined) {
      entries = text === '' ? [] : text.split(ROW).map(parseEntry);
      known.set(text, entries);
    }
    return { entries, lockedByKnex: row.locked };
  };
}

function parseEntry(text: string): HistoryEntry {
  const [batch = '0', ...name] = text.split(FIELD);
  return { batch: Number(batch), name: name.join(FIELD) };
}

/**
 * Reads many histories in few queries, some hundred to a query.
 * @returns by schema; a schema that was dropped in the meantime is missing from the map
 */
export async function readHistories(
  database: Database,
  tables: readonly HistoryTables[],
): Promise<Map<string, History>> {
  const read = historyReader();
  const histories = new Map<string, History>();
  const present: HistoryTables[] = [];
  for (const each of tables) {
    if (each.hasHistory || each.hasLock) present.push(each);
    else histories.set(each.schema, EMPTY_HISTORY);
  }
  const readChunk = async (chunk: readonly HistoryTables[]): Promise<void> => {
    try {
      const parts = chunk.map((each, index) => `SELECT ${index} AS i, h.* FROM (${selectHistory(each)}) h`);
      const { rows } = await database.query<HistoryRow & { i: number }>(parts.join('\nUNION ALL\n'));
      for (const row of rows) {
        const schema = chunk[row.i]?.schema;
        if (schema !== undefined) histories.set(schema, read(row));
      }
    } catch (error) {
      // 42P01, 3F000: a table or schema went away since it was listed. Only that one is left out.
      if (!/^(42P01|3F000)$/.test(toDatabaseError(error).sqlstate ?? '')) throw error;
      if (chunk.length > 1) for (const each of chunk) await readChunk([each]);
    }
  };
  const chunks: HistoryTables[][] = [];
  for (let at = 0; at < present.length; at += HISTORIES_PER_QUERY) {
    chunks.push(present.slice(at, at + HISTORIES_PER_QUERY));
  }
  await Promise.all(chunks.map(readChunk));
  return histories;
}

/** The statements that create both tables as Knex does (knex/lib/migrations/migrate/table-creator.js). */
export function createHistoryTables(schema: string, table: string): string[] {
  const lock = qualified(schema, lockTableOf(table));
  return [
    `CREATE TABLE IF NOT EXISTS ${qualified(schema, table)}
       (id serial PRIMARY KEY, name varchar(255), batch integer, migration_time timestamptz)`,
    `CREATE TABLE IF NOT EXISTS ${lock} (index serial PRIMARY KEY, is_locked integer)`,
    `INSERT INTO ${lock} (is_locked) SELECT 0 WHERE NOT EXISTS (SELECT FROM ${lock})`,
  ];
}
