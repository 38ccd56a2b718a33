import type { PoolClient } from 'pg';
import { readable } from '../../db/sql.ts';
import { TenantctlError } from '../../errors.ts';
import { MAX_NAME_BYTES, type Names } from '../../names.ts';
import { lockTableOf } from '../target/history.ts';
import { registrySql } from '../registry/registry-sql.ts';
import { SYSTEM_SCHEMA, tenantSchemaPattern } from '../registry/schema-name.ts';

/** The first column, as in every other form of the rows. */
export const ORGANIZATION = 'organization';

/** The comment of a table whose rows may be replaced. */
export const MARK = 'tenantctl exec --into';

export interface TableName {
  readonly schema: string;
  readonly table: string;
}

/** A column of the table, or one that the query makes necessary. */
export interface ReportColumn {
  readonly name: string;
  /** Oid in pg_type. */
  readonly type: number;
  /** The type in SQL. */
  readonly shown: string;
}

/** What is there under the name. */
export interface TableFacts {
  readonly hasSchema: boolean;
  /** The registry has a tenant with this schema. */
  readonly isOfTenant: boolean;
  /** As in pg_class; null if there is nothing. */
  readonly kind: string | null;
  readonly comment: string | null;
  readonly columns: readonly ReportColumn[];
}

/** `table` in public, or `schema.table`, as written in the database, without quotes. @throws TenantctlError USAGE */
export function parseTableName(text: string): TableName {
  const [first = '', second, ...more] = text.split('.');
  const name = second === undefined ? { schema: 'public', table: first } : { schema: first, table: second };
  const isName = (part: string) =>
    part !== '' && !/["\p{Cc}]/u.test(part) && Buffer.byteLength(part, 'utf8') <= MAX_NAME_BYTES;
  if (more.length === 0 && isName(name.schema) && isName(name.table)) return name;
  throw new TenantctlError('USAGE', `"${text}" is not the name of a table.`, {
    hint: `Write table or schema.table as in the database, without quotes; each part has at most ${MAX_NAME_BYTES} bytes.`,
  });
}

export async function readTableFacts(
  client: PoolClient,
  names: Names,
  { schema, table }: TableName,
): Promise<TableFacts> {
  const registry = registrySql(names);
  const { rows } = await client.query<TableFacts>(
    `SELECT n.oid IS NOT NULL AS "hasSchema", c.relkind::text AS kind, obj_description(c.oid, 'pg_class') AS comment,
            EXISTS (SELECT FROM ${registry.table} t WHERE t.${registry.schema}::text = a.schema) AS "isOfTenant",
            coalesce((SELECT json_agg(json_build_object('name', attname, 'type', atttypid::int8, 'shown', format_type(atttypid, -1)) ORDER BY attnum)
                      FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped), '[]') AS columns
     FROM (SELECT $1::text AS schema, $2::text AS name) a
     LEFT JOIN pg_namespace n ON n.nspname = a.schema
     LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = a.name`,
    [schema, table],
  );
  return rows[0] as TableFacts;
}

/** Pure. @throws TenantctlError TABLE_UNUSABLE unless the table can be created, or its rows may be replaced */
export function assertReplaceable(name: TableName, names: Names, facts: TableFacts): void {
  const { schema } = name;
  const shown = shownName(name);
  const isTenants = facts.isOfTenant || new RegExp(tenantSchemaPattern(names)).test(schema);
  if (isTenants)
    throw unusable(
      `${schema} is the schema of a tenant.`,
      'Name a table in public or in a schema of its own.',
    );
  if (schema !== 'public' && SYSTEM_SCHEMA.test(schema))
    throw unusable(`${schema} is a schema of ${schema === 'tenantctl' ? 'tenantctl' : 'PostgreSQL'}.`);
  if (!facts.hasSchema)
    throw unusable(
      `The schema ${schema} does not exist.`,
      `To create it: CREATE SCHEMA ${readable(schema)};`,
    );
  if (isOwnTable(name, names)) throw unusable(`${shown} is a table of tenantctl or Knex.`);
  if (facts.kind === null) return;
  if (facts.kind !== 'r' && facts.kind !== 'p') throw unusable(`${shown} is not a table.`);
  if (facts.comment !== MARK)
    throw unusable(
      `${shown} exists, and exec --into has not made it: its rows are kept.`,
      `Choose another name. If its rows may be replaced: COMMENT ON TABLE ${shown} IS '${MARK}';`,
    );
}

/** The registry, or the history of the master migrations. */
function isOwnTable({ schema, table }: TableName, { registry, masterHistory }: Names): boolean {
  const history = [masterHistory, lockTableOf(masterHistory)].map((each) => ({
    schema: 'public',
    table: each,
  }));
  return [registry, ...history].some((own) => own.schema === schema && own.table === table);
}

/** Pure. */
export function areAlike(some: readonly ReportColumn[], others: readonly ReportColumn[]): boolean {
  return (
    some.length === others.length &&
    some.every(({ name, type }, at) => name === others[at]?.name && type === others[at].type)
  );
}

export function columnsDiffer(
  name: TableName,
  columns: readonly ReportColumn[],
  expected: { readonly columns: readonly ReportColumn[]; readonly of: string },
): TenantctlError {
  return unusable(
    `The columns are ${listColumns(columns)}; those of ${expected.of} are ${listColumns(expected.columns)}.`,
    `All tenants need the same columns: cast them in the query. If the query has changed: DROP TABLE ${shownName(name)}; or choose another name.`,
  );
}

export function columnTwice({ name }: ReportColumn): TenantctlError {
  return unusable(
    `Two columns are called "${name}".`,
    `Rename one with AS. The first column is "${ORGANIZATION}".`,
  );
}

function listColumns(columns: readonly ReportColumn[]): string {
  return columns.map(({ name, shown }) => `${readable(name)} ${shown}`).join(', ');
}

export function shownName({ schema, table }: TableName): string {
  return `${readable(schema)}.${readable(table)}`;
}

function unusable(message: string, hint?: string): TenantctlError {
  return new TenantctlError('TABLE_UNUSABLE', message, { hint });
}
