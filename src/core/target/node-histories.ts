import type { QueryResultRow } from 'pg';
import type { Database } from '../../db/database.ts';
import { RUN_ON_NODES, SHARDS } from '../../db/citus.ts';
import { literal } from '../../db/sql.ts';

/** A row of a history table, or of Knex's lock table if `id` is null. */
export interface HistoryRow {
  /** Which schema. */
  readonly i: number;
  readonly id: number | null;
  readonly batch: number | null;
  readonly name: string | null;
}

interface Shard {
  readonly schema: string;
  /** Of the table. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly shard: string;
}

/** What one node has of some schemas. */
export interface NodeRows {
  readonly schemas: readonly string[];
  /** By schema; undefined if the node is away, or could not read one of them. */
  readonly rows: ReadonlyMap<string, HistoryRow[]> | undefined;
}

/** What to select, by name of table. */
export type Columns = Readonly<Record<string, string>>;

/** Schemas that a node reads in one query: it locks their tables and indexes until the query ends. */
const SCHEMAS_PER_QUERY = 500;

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
  const { rows: shards } = await database.query<Shard & QueryResultRow>(SHARDS, [
    schemas,
    Object.keys(columns),
  ]);
  const nodes = [...Map.groupBy(shards, ({ host, port }) => `${host}:${port}`).values()].map((all) => [
    ...Map.groupBy(all, ({ schema }) => schema),
  ]);
  const read: NodeRows[] = [];
  for (let at = 0; nodes.some(({ length }) => length > at); at += SCHEMAS_PER_QUERY) {
    const due = nodes.map((all) => all.slice(at, at + SCHEMAS_PER_QUERY)).filter((some) => some.length > 0);
    read.push(...(await askNodes(database, columns, due)));
  }
  return read;
}

async function askNodes(
  database: Database,
  columns: Columns,
  nodes: readonly (readonly (readonly [schema: string, shards: readonly Shard[]])[])[],
): Promise<NodeRows[]> {
  const places = nodes.map((some) => some[0]?.[1][0]);
  const { rows: answers } = await database.query<{ success: boolean; result: string }>(RUN_ON_NODES, [
    places.map((place) => place?.host),
    places.map((place) => place?.port),
    nodes.map((some) =>
      readingText(
        columns,
        some.map(([, shards]) => shards),
      ),
    ),
  ]);
  return nodes.map((some, nth) => {
    const { success, result } = answers[nth] ?? { success: false, result: '' };
    const schemas = some.map(([schema]) => schema);
    return { schemas, rows: success ? bySchema(schemas, result) : undefined };
  });
}

function bySchema(schemas: readonly string[], result: string): Map<string, HistoryRow[]> {
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
  return new Map(schemas.map((schema, i) => [schema, rows.get(i) ?? []]));
}

/**
 * Reads tables whose names only the server knows, by query_to_xml, in a plain query: nothing is created on the node.
 * As where a history is read by itself, no policy and no cast of a table's owner runs.
 */
function readingText(columns: Columns, schemas: readonly (readonly Shard[])[]): string {
  const queries = schemas.flatMap((shards, i) =>
    shards.map(({ name, shard }) => ({ i, text: `SELECT ${columns[name] ?? ''} FROM ${shard}` })),
  );
  return `SELECT CASE set_config('row_security', 'off', true) WHEN 'off' THEN
      (SELECT coalesce(json_agg(json_build_array(q.i, r.id, r.batch, r.name))::text, '[]')
       FROM json_to_recordset(${literal(JSON.stringify(queries))}) AS q(i int, text text),
         XMLTABLE('/table/row' PASSING query_to_xml(q.text, false, false, '')
                  COLUMNS id int, batch int, name text) AS r) END`;
}
