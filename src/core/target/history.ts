import pLimit from 'p-limit';
import type { QueryResult, QueryResultRow } from 'pg';
import { isLoss, toDatabaseError } from '../../db/database-error.ts';
import { qualified } from '../../db/sql.ts';
import { withClient } from '../../db/transaction.ts';
import type { TenantctlError } from '../../errors.ts';
import { LOCK_ENDING } from '../../names.ts';
import type { Database } from '../../db/database.ts';
import { readNodeHistories, type HistoryRow as Row } from './node-histories.ts';

export interface HistoryEntry {
  readonly name: string;
  readonly batch: number;
}

export interface History {
  /** In the order applied: by batch, then by Knex's id. */
  readonly entries: readonly HistoryEntry[];
  /** Knex's own lock is set: Knex is migrating this schema, or died doing so. */
  readonly lockedByKnex: boolean;
  /** The node of a cluster that has it is away: what it holds is unknown. */
  readonly unreadable?: TenantctlError;
}

export const EMPTY_HISTORY: History = { entries: [], lockedByKnex: false };

/** Which of the two history tables exist. */
export interface HistoryTables {
  readonly schema: string;
  readonly hasHistory: boolean;
  readonly hasLock: boolean;
}

export function lockTableOf(table: string): string {
  return `${table}${LOCK_ENDING}`;
}

/**
 * SELECT that reads one History and locks the row of Knex's lock table until the transaction ends, so that
 * Knex waits. A row that Knex has locked counts as set, as does a row for which `onlyIf` is false.
 * @param onlyIf a condition in SQL
 */
export function selectHistory(schema: string, table: string, onlyIf: string): string {
  const lock = qualified(schema, lockTableOf(table));
  return `SELECT
    (SELECT coalesce(json_agg(json_build_object('name', name, 'batch', coalesce(batch, 0)) ORDER BY coalesce(batch, 0), id)
                       FILTER (WHERE name IS NOT NULL), '[]')
     FROM ${qualified(schema, table)}) AS entries,
    (SELECT coalesce(max(taken.is_locked), 0) <> 0 OR count(*) < (SELECT count(*) FROM ${lock})
     FROM (SELECT is_locked FROM ${lock} WHERE ${onlyIf} FOR UPDATE SKIP LOCKED) taken) AS "lockedByKnex"`;
}

/**
 * Locks the row of Knex's lock table. A node that died within a COMMIT, and is back, keeps this lock until it has finished
 * the transaction; the history does not show it before.
 * @param patience `NOWAIT`: fails with 55P03 at once, instead of after the lock timeout
 */
export function holdLockRow(
  { schema, historyTable }: { readonly schema: string; readonly historyTable: string },
  patience: 'NOWAIT' | '' = '',
): string {
  return `SELECT is_locked FROM ${qualified(schema, lockTableOf(historyTable))} FOR UPDATE ${patience}`;
}

/** Empty if there is no master history. */
export async function readMasterHistory(database: Database): Promise<History> {
  const { masterHistory: table } = database.names;
  const both = { schema: 'public', hasHistory: true, hasLock: true };
  try {
    const answers: unknown = await database.query(readingText([both], table, true));
    return historyFrom((answers as QueryResult<Row>[]).flatMap(({ rows }) => rows));
  } catch (error) {
    if (!isUnreadable(error)) throw error;
  }
  const { rows } = await database.query<HistoryTables & QueryResultRow>(
    `SELECT 'public' AS schema, to_regclass($1) IS NOT NULL AS "hasHistory", to_regclass($2) IS NOT NULL AS "hasLock"`,
    [qualified('public', table), qualified('public', lockTableOf(table))],
  );
  return (await readHistories(database, table, rows)).get('public') ?? EMPTY_HISTORY;
}

/** The columns of a row, by kind of table. */
const ENTRY = 'id, batch, name';
const LOCK = 'NULL::int AS id, is_locked AS batch, NULL::text AS name';

/** Histories per query: each locks two tables and an index until the query ends. */
const HISTORIES_PER_QUERY = 25;

/**
 * Selects plain rows in few strings: an aggregate with a sort would double the server's cost. The tables may
 * belong to roles that are not trusted, so nothing of theirs runs: no policy, and no implicit cast, which a
 * UNION might need.
 * @param options.knexLock false skips Knex's lock tables, which halves the cost; `lockedByKnex` is false then
 * @returns by schema, without schemas that were dropped in the meantime
 */
export async function readHistories(
  database: Database,
  table: string,
  schemas: readonly HistoryTables[],
  { knexLock = true }: { readonly knexLock?: boolean } = {},
): Promise<Map<string, History>> {
  const share = sharer();
  const histories = new Map<string, History>(schemas.map(({ schema }) => [schema, EMPTY_HISTORY]));
  const readChunk = async (chunk: readonly HistoryTables[]): Promise<void> => {
    try {
      const sent = await withClient(database, (client) => client.query(readingText(chunk, table, knexLock)), {
        tenants: chunk.length,
      });
      const rows = (sent as unknown as QueryResult<Row>[]).flatMap((result) => result.rows);
      const byIndex = Map.groupBy(rows, ({ i }) => i);
      for (const [index, { schema }] of chunk.entries()) {
        histories.set(schema, historyFrom(byIndex.get(index) ?? [], share));
      }
    } catch (error) {
      // The tenant's own work reports it.
      if (!isUnreadable(error)) throw error;
      if (chunk.length > 1) for (const each of chunk) await readChunk([each]);
      else if (isNodeAway(error)) {
        const unreadable = toDatabaseError(error).concealing(database.conceal);
        for (const { schema } of chunk)
          histories.set(schema, { entries: [], lockedByKnex: false, unreadable });
      } else histories.delete(chunk[0]?.schema ?? '');
    }
  };
  /** @returns those that no node has, or that it could not read together */
  const readFromNodes = async (those: readonly HistoryTables[]): Promise<HistoryTables[]> => {
    const columns = { [table]: ENTRY, ...(knexLock && { [lockTableOf(table)]: LOCK }) };
    const names = those.map(({ schema }) => schema);
    const left = new Map(those.map((each) => [each.schema, each]));
    for (const { schemas: some, rows } of await readNodeHistories(database, columns, names)) {
      // Why a node did not answer is told by a tenant of it.
      const [first] = some.map((schema) => left.get(schema)).filter((each) => each !== undefined);
      if (rows === undefined && first !== undefined) await readChunk([first]);
      const unreadable = rows === undefined ? histories.get(first?.schema ?? '')?.unreadable : undefined;
      if (rows === undefined && unreadable === undefined) continue;
      for (const schema of some) {
        left.delete(schema);
        histories.set(schema, {
          ...historyFrom(rows?.get(schema) ?? [], share),
          ...(unreadable && { unreadable }),
        });
      }
    }
    return [...left.values()];
  };
  const limit = pLimit(database.width);
  const there = schemas.filter(({ hasHistory, hasLock }) => hasHistory || (knexLock && hasLock));
  const present = database.hasNodes && there.length > 0 ? await readFromNodes(there) : there;
  const chunks: Promise<void>[] = [];
  for (let at = 0; at < present.length; at += HISTORIES_PER_QUERY)
    chunks.push(limit(() => readChunk(present.slice(at, at + HISTORIES_PER_QUERY))));
  await Promise.all(chunks);
  return histories;
}

/** 42P01, 3F000: dropped; 42501, 42703: no permission, or not Knex's table. */
function isUnreadable(error: unknown): boolean {
  return /^(42P01|3F000|42501|42703)$/.test(toDatabaseError(error).sqlstate ?? '') || isNodeAway(error);
}

/** 08006, while the connection itself is well. */
function isNodeAway(error: unknown): boolean {
  const told = toDatabaseError(error);
  return told.sqlstate === '08006' && !isLoss(told);
}

function historyFrom(rows: readonly Row[], share = sharer()): History {
  const [locks = [], entries = []] = [true, false].map((isLock) =>
    rows.filter(({ id }) => (id === null) === isLock),
  );
  return { entries: share(entries), lockedByKnex: locks.some(({ batch }) => (batch ?? 0) !== 0) };
}

function readingText(schemas: readonly HistoryTables[], table: string, knexLock: boolean): string {
  const selects = schemas.flatMap((each, index) => selectRows(each, table, index, knexLock));
  return ['SET LOCAL row_security = off', ...selects].join(';\n');
}

function selectRows(
  { schema, hasHistory, hasLock }: HistoryTables,
  table: string,
  index: number,
  knexLock: boolean,
): string[] {
  const history = `SELECT ${index} AS i, ${ENTRY} FROM ${qualified(schema, table)}`;
  const lock = `SELECT ${index} AS i, ${LOCK} FROM ${qualified(schema, lockTableOf(table))}`;
  return [...(hasHistory ? [history] : []), ...(knexLock && hasLock ? [lock] : [])];
}

/** Sorts rows, and shares equal histories: a fleet then needs little memory and few plans. */
function sharer(): (rows: readonly Row[]) => readonly HistoryEntry[] {
  const known = new Map<string, readonly HistoryEntry[]>();
  return (rows) => {
    const sorted = rows
      .filter(({ name }) => name !== null)
      .toSorted((a, b) => (a.batch ?? 0) - (b.batch ?? 0) || (a.id ?? 0) - (b.id ?? 0));
    const read = sorted.map(({ batch, name }) => ({ batch: batch ?? 0, name: name ?? '' }));
    const key = JSON.stringify(read);
    const entries = known.get(key) ?? read;
    known.set(key, entries);
    return entries;
  };
}

/** Whether SQL may name the history: PostgreSQL folds letters, and U&"" has escapes. Pure. */
export function mayNameHistory(sql: string, table: string): boolean {
  return /\bu&"/i.test(sql) || sql.toLowerCase().includes(table.toLowerCase());
}

/**
 * Creates both tables as Knex does (knex/lib/migrations/migrate/table-creator.js).
 * @param isNew fails where one exists
 */
export function createHistoryTables(schema: string, table: string, isNew = false): string[] {
  const create = isNew ? 'CREATE TABLE' : 'CREATE TABLE IF NOT EXISTS';
  const lock = qualified(schema, lockTableOf(table));
  return [
    `${create} ${qualified(schema, table)}
       (id serial PRIMARY KEY, name varchar(255), batch integer, migration_time timestamptz)`,
    `${create} ${lock} (index serial PRIMARY KEY, is_locked integer)`,
    `INSERT INTO ${lock} (is_locked) SELECT 0 FROM ${lock} HAVING count(*) = 0`,
  ];
}
