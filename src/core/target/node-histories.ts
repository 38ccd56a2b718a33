import type { QueryResultRow } from 'pg';
import type { Database } from '../../db/database.ts';
import { READ_ON_NODES } from '../../db/citus.ts';

/** A row of a history table, or of Knex's lock table if `id` is null. */
export interface HistoryRow {
  /** Which schema. */
  readonly i: number;
  readonly id: number | null;
  readonly batch: number | null;
  readonly name: string | null;
}

/** What one node has of some schemas. */
export interface NodeRows {
  readonly schemas: readonly string[];
  /** By schema; undefined if the node is away, or could not read one of them. */
  readonly rows: ReadonlyMap<string, HistoryRow[]> | undefined;
}

/** What to select, by name of table. */
export type Columns = Readonly<Record<string, string>>;

/** Schemas that are read in one query: their node locks their tables and indexes until it ends. */
const SCHEMAS_PER_QUERY = 500;

interface Answer extends QueryResultRow {
  /** Places of the schemas in the list. */
  readonly schemas: readonly number[];
  readonly success: boolean;
  readonly result: string;
}

/**
 * Asks each node once for the histories of all its schemas, over connections of its own. The coordinator would plan,
 * send and await a query for each.
 * @returns by node; without the schemas that no node has
 */
export async function readNodeHistories(
  database: Database,
  columns: Columns,
  schemas: readonly string[],
): Promise<NodeRows[]> {
  const read: NodeRows[] = [];
  for (let at = 0; at < schemas.length; at += SCHEMAS_PER_QUERY) {
    const due = schemas.slice(at, at + SCHEMAS_PER_QUERY);
    const tables = [Object.keys(columns), Object.values(columns)];
    const { rows } = await database.query<Answer>(READ_ON_NODES, [due, ...tables]);
    for (const { schemas: places, success, result } of rows) {
      const named = places.map((place) => [place, due[place] ?? ''] as const);
      read.push({
        schemas: named.map(([, schema]) => schema),
        rows: success ? bySchema(named, result) : undefined,
      });
    }
  }
  return read;
}

function bySchema(
  schemas: readonly (readonly [place: number, schema: string])[],
  result: string,
): Map<string, HistoryRow[]> {
  const all = JSON.parse(result === '' ? '[]' : result) as [
    number,
    number | null,
    number | null,
    string | null,
  ][];
  const rows = Map.groupBy(
    all.map(([i, id, batch, name]) => ({ i, id, batch, name })),
    ({ i }) => i,
  );
  return new Map(schemas.map(([place, schema]) => [schema, rows.get(place) ?? []]));
}
