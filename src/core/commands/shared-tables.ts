import type { Database } from '../../db/database.ts';
import { literal } from '../../db/sql.ts';
import type { Names } from '../../names.ts';
import { runsInTransaction, type Migration } from '../files/load.ts';
import { registrySql } from '../registry/registry-sql.ts';
import type { RunContext } from '../run/run-context.ts';

type Connection = Pick<Database, 'query'>;

/** Names by oid. */
export type SharedTables = ReadonlyMap<string, string>;

const IS_TABLE = `relkind IN ('r', 'p', 'f')`;

/** The tables outside the schemas of tenants, of tenantctl and of PostgreSQL. Needs the registry. */
export async function readSharedTables(connection: Connection, names: Names): Promise<SharedTables> {
  const { table, schema } = registrySql(names);
  const { rows } = await connection.query<{ oid: string; name: string }>(
    `SELECT c.oid::text AS oid, CASE n.nspname WHEN 'public' THEN '' ELSE quote_ident(n.nspname) || '.' END || quote_ident(c.relname) AS name
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.${IS_TABLE} AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'tenantctl')
       AND n.nspname NOT IN (SELECT t.${schema}::text FROM ${table} t WHERE t.${schema} IS NOT NULL)
     ORDER BY 2`,
  );
  return new Map(rows.map(({ oid, name }) => [oid, name]));
}

/** The names of those that no longer exist. A renamed or moved table still does. */
export async function droppedOf(connection: Connection, tables: SharedTables): Promise<string[]> {
  const { rows } = await connection.query<{ oid: string }>(
    `SELECT oid::text AS oid FROM unnest($1::oid[]) AS oid WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = oid.oid)`,
    [[...tables.keys()]],
  );
  return rows.map(({ oid }) => tables.get(oid) ?? oid);
}

/**
 * Of downs that cannot all be tried in one transaction, those that may drop a table, according to their text.
 * A function has none.
 * @returns names; none if all of them run in one transaction
 */
export async function mayDropTables(
  { database, readStatements }: RunContext,
  migrations: readonly Migration[],
): Promise<string[]> {
  if (migrations.every((each) => runsInTransaction(each, 'down'))) return [];
  const found: string[] = [];
  for (const { file, down } of migrations) {
    const reading = typeof down === 'string' ? await readStatements(down) : undefined;
    const isClear = reading?.isObscure === false;
    const isHarmless =
      isClear &&
      (!reading.drops ||
        (reading.objects.every(({ kind }) => kind === 'relation') &&
          !(await areTables(database, reading.objects))));
    if (!isHarmless) found.push(file.name);
  }
  return found;
}

async function areTables(
  database: Connection,
  objects: readonly { readonly schema?: string | undefined; readonly name: string }[],
): Promise<boolean> {
  if (objects.length === 0) return true;
  const pairs = objects.map(({ schema = 'public', name }) => `(${literal(schema)}, ${literal(name)})`);
  const { rows } = await database.query(
    `SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE (n.nspname, c.relname) IN (${pairs.join(', ')}) AND c.${IS_TABLE} LIMIT 1`,
  );
  return rows.length > 0;
}
