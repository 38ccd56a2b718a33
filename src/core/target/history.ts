import pLimit from 'p-limit';
import { toDatabaseError } from '../../db/database-error.ts';
import { literal, qualified } from '../../db/sql.ts';
import { withClient } from '../../db/transaction.ts';
import { LOCK_ENDING } from '../../names.ts';
import type { Database } from '../../db/database.ts';

/** One row of a history table. */
export interface HistoryEntry {
  readonly name: string;
  readonly batch: number;
}

/** What a schema says about its migrations. */
export interface History {
  /** In the order in which they were applied: by batch, and within it by Knex's id. */
  readonly entries: readonly HistoryEntry[];
  /** Knex's own lock row is set: a Knex is migrating this schema, or died while it did. */
  readonly lockedByKnex: boolean;
}

export const EMPTY_HISTORY: History = { entries: [], lockedByKnex: false };

/** Where a history is kept, and which of its two tables exist. */
export interface HistoryTables {
  readonly schema: string;
  readonly table: string;
  readonly hasHistory: boolean;
  readonly hasLock: boolean;
}

/** Knex's name for the table of its lock. */
export function lockTableOf(table: string): string {
  return `${table}${LOCK_ENDING}`;
}

/** How many histories one query reads: each takes a lock on two tables and an index until the query ends. */
const HISTORIES_PER_QUERY = 25;
const FIELD = '\u001f';
const ROW = '\u001e';

/** What selectHistory selects. */
export interface HistoryRow {
  readonly entries: string | null;
  readonly locked: boolean;
}

/**
 * The SELECT that reads one history; columns `entries` and `locked`.
 *
 * takeKnexLock also locks the row of Knex's lock table until the transaction ends, so that a Knex that starts in the
 * meantime waits; a row that a Knex at work has locked itself counts as set. With onlyIf, an SQL condition, the row is
 * taken only where that holds, and counts as set where not.
 */
export function selectHistory(
  tables: HistoryTables,
  options: { readonly takeKnexLock?: boolean; readonly onlyIf?: string } = {},
): string {
  const history = qualified(tables.schema, tables.table);
  const entries = tables.hasHistory
    ? `(SELECT string_agg(coalesce(batch, 0) || ${literal(FIELD)} || name, ${literal(ROW)} ORDER BY coalesce(batch, 0), id) FROM ${history})`
    : 'NULL::text';
  return `SELECT ${entries} AS entries, ${selectKnexLock(tables, options)} AS locked`;
}

function selectKnexLock(
  tables: HistoryTables,
  { takeKnexLock = false, onlyIf = 'true' }: { readonly takeKnexLock?: boolean; readonly onlyIf?: string },
): string {
  if (!tables.hasLock) return 'false';
  const lock = qualified(tables.schema, lockTableOf(tables.table));
  return takeKnexLock
    ? `(SELECT coalesce(max(taken.is_locked), 0) <> 0 OR count(*) < (SELECT count(*) FROM ${lock})
        FROM (SELECT is_locked FROM ${lock} WHERE ${onlyIf} FOR UPDATE SKIP LOCKED) taken)`
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

/** One row of a history table; or, where `id` is null, of Knex's lock table. */
interface Row {
  readonly i: number;
  readonly id: number | null;
  readonly batch: number | null;
  readonly name: string | null;
}

/**
 * Reads many histories in few queries. Plain rows cost the server least: it plans and opens each table anyway, and an
 * aggregate with its sort costs as much again.
 * @param options.knexLock false leaves Knex's lock tables out, which halves the cost; `lockedByKnex` is false then
 * @returns by schema; a schema that was dropped in the meantime is missing from the map
 */
export async function readHistories(
  database: Database,
  tables: readonly HistoryTables[],
  options: { readonly knexLock?: boolean } = {},
): Promise<Map<string, History>> {
  const withLock = options.knexLock ?? true;
  const share = sharer();
  const histories = new Map<string, History>();
  const present: HistoryTables[] = [];
  for (const each of tables) {
    if (each.hasHistory || (withLock && each.hasLock)) present.push(each);
    else histories.set(each.schema, EMPTY_HISTORY);
  }
  const readChunk = async (chunk: readonly HistoryTables[]): Promise<void> => {
    try {
      const text = chunk.flatMap((each, index) => selectRows(each, index, withLock));
      const { rows } = await withClient(database, (client) => client.query<Row>(text.join('\nUNION ALL\n')), {
        tenants: chunk.length,
      });
      const found = chunk.map(() => ({ entries: [] as Row[], locked: false }));
      for (const row of rows) {
        const one = found[row.i];
        if (one === undefined) continue;
        if (row.id === null) one.locked ||= (row.batch ?? 0) !== 0;
        else if (row.name !== null) one.entries.push(row);
      }
      for (const [index, { entries, locked }] of found.entries()) {
        const schema = chunk[index]?.schema;
        if (schema !== undefined) histories.set(schema, { entries: share(entries), lockedByKnex: locked });
      }
    } catch (error) {
      // 42P01, 3F000: a table or schema went away since it was listed; 42501, 42703: it is not ours to read, or not
      // Knex's. That one alone is left out: what is done to it says why it cannot be.
      if (!/^(42P01|3F000|42501|42703)$/.test(toDatabaseError(error).sqlstate ?? '')) throw error;
      if (chunk.length > 1) for (const each of chunk) await readChunk([each]);
    }
  };
  const limit = pLimit(database.width);
  const chunks: Promise<void>[] = [];
  for (let at = 0; at < present.length; at += HISTORIES_PER_QUERY) {
    const chunk = present.slice(at, at + HISTORIES_PER_QUERY);
    chunks.push(limit(() => readChunk(chunk)));
  }
  await Promise.all(chunks);
  return histories;
}

function selectRows(tables: HistoryTables, index: number, knexLock: boolean): string[] {
  const lock = qualified(tables.schema, lockTableOf(tables.table));
  return [
    ...(tables.hasHistory
      ? [`SELECT ${index} AS i, id, batch, name FROM ${qualified(tables.schema, tables.table)}`]
      : []),
    ...(knexLock && tables.hasLock
      ? [`SELECT ${index} AS i, NULL::int AS id, is_locked AS batch, NULL::text AS name FROM ${lock}`]
      : []),
  ];
}

/** Sorts, and gives equal histories the same object, so that a fleet costs little memory and one plan. */
function sharer(): (rows: Row[]) => readonly HistoryEntry[] {
  const known = new Map<string, readonly HistoryEntry[]>();
  return (rows) => {
    const sorted = rows.toSorted((a, b) => (a.batch ?? 0) - (b.batch ?? 0) || (a.id ?? 0) - (b.id ?? 0));
    const key = sorted.map((row) => `${row.batch}${FIELD}${row.name}`).join(ROW);
    let entries = known.get(key);
    if (entries === undefined) {
      entries = sorted.map(({ batch, name }) => ({ batch: batch ?? 0, name: name ?? '' }));
      known.set(key, entries);
    }
    return entries;
  };
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
