import type { PoolClient } from 'pg';
import { identifier, qualified } from '../../db/sql.ts';
import { TenantctlError } from '../../errors.ts';
import type { Names } from '../../names.ts';
import { listed } from '../../wording.ts';
import type { Content, ContentTable } from './content.ts';
import { loadContent } from './load-content.ts';
import { MaskSql } from './mask-sql.ts';
import type { MaskPlan } from './plan-mask.ts';
import { measureContent } from './measure-content.ts';
import { contentSettings } from './text-form.ts';

export interface ContentCopy {
  /** The schemas. */
  readonly from: string;
  readonly to: string;
  readonly content: Content;
  readonly names: Names;
  readonly masks: MaskPlan;
  /** Needed for rules that hash or fake. */
  readonly maskKey?: string | undefined;
}

/** How a column's value gets into the other schema. */
interface ColumnRoute {
  readonly table: string;
  readonly column: string;
  /** In the target. */
  readonly type: string;
  /** `text`: the type is another one in each schema. `name`: the value means an object by its oid. */
  readonly route: 'direct' | 'text' | 'name';
}

/**
 * Replaces the rows of one schema by those of another one, within the database, table by table. In the caller's
 * transaction, which has one snapshot: it compares the rows afterwards. What a rule masks is masked by the statement that
 * copies it.
 * @returns the number of rows
 * @throws TenantctlError ROWS_DIFFER; as loadContent does
 */
export async function copyContent(client: PoolClient, copy: ContentCopy): Promise<bigint> {
  const { from, to, content, names } = copy;
  await client.query(contentSettings(to));
  const { rows } = await client.query<ColumnRoute>(ROUTES, [from, to]);
  const routes = Map.groupBy(rows, ({ table }) => table);
  await loadContent(client, to, content, names, (table) =>
    copyTable(client, copy, table, routes.get(table.name) ?? []),
  );
  const compared = { ...content, tables: content.tables.map((table) => unmasked(table, copy.masks)) };
  const measures = await measureContent(client, from, compared);
  const copied = await measureContent(client, to, compared);
  const wrong = [...measures].filter(([name, { rows: count, hash }]) => {
    const other = copied.get(name);
    return other?.rows !== count || other.hash !== hash;
  });
  if (wrong.length > 0) throw differs(wrong.map(([name]) => name));
  return [...copied.values()].reduce((sum, { rows: count }) => sum + count, 0n);
}

function differs(tables: readonly string[]): TenantctlError {
  return new TenantctlError(
    'ROWS_DIFFER',
    `The rows of ${listed(tables)} are not the same in the copy, which was taken back.`,
    { hint: 'Does something change rows while they are written, such as a function in a domain or a type?' },
  );
}

function unmasked({ name, columns }: ContentTable, masks: MaskPlan): ContentTable {
  const rules = masks.get(name);
  return { name, columns: columns.filter((column) => rules?.has(column) !== true) };
}

async function copyTable(
  client: PoolClient,
  { from, to, masks, maskKey = '' }: ContentCopy,
  { name, columns }: ContentTable,
  routes: readonly ColumnRoute[],
): Promise<void> {
  const source = qualified(from, name);
  const byColumn = new Map(routes.map((route) => [route.column, route]));
  const rules = masks.get(name);
  const named = columns.filter(
    (column) => byColumn.get(column)?.route === 'name' && rules?.has(column) !== true,
  );
  if (named.length > 0) {
    // Which object a name means is found by the search path: the name is printed under one, and read under the other.
    const texts = named.map((column) => `, ${identifier(column)}::text AS ${identifier(column)}`);
    await client.query(
      `${contentSettings(from)}; CREATE TEMP TABLE ${NAMED} ON COMMIT DROP AS SELECT ctid AS ${ROW}${texts.join('')} FROM ONLY ${source};
       ${contentSettings(to)}`,
    );
  }
  const masking = new MaskSql(maskKey);
  const expressions = columns.map((column) => {
    const rule = rules?.get(column);
    const { type = '', route = 'direct' } = byColumn.get(column) ?? {};
    const value = `t.${identifier(column)}`;
    if (rule !== undefined) return masking.valueOf(column, type, rule);
    if (route === 'direct') return value;
    return route === 'text' ? `${value}::text::${type}` : `x.${identifier(column)}::${type}`;
  });
  const list = columns.length === 0 ? '' : ` (${columns.map(identifier).join(', ')}) OVERRIDING SYSTEM VALUE`;
  const join = named.length === 0 ? '' : ` JOIN pg_temp.${NAMED} x ON x.${ROW} = t.ctid`;
  await client.query(
    `INSERT INTO ${qualified(to, name)}${list} SELECT ${expressions.join(', ')} FROM ONLY ${source} t${join}${masking.joins}`,
    masking.values,
  );
  if (named.length > 0) await client.query(`DROP TABLE pg_temp.${NAMED}`);
}

const NAMED = 'tenantctl_named';
const ROW = 'tenantctl_row';

/** $1 source, $2 target. Types of the same name may be one for each schema; see `route` for oids. */
const ROUTES = `
  WITH RECURSIVE pairs AS (
    SELECT a.relname::text AS "table", x.attname::text AS "column", x.atttypid AS source, y.atttypid AS target, y.atttypmod
    FROM pg_class a JOIN pg_namespace n ON n.oid = a.relnamespace AND n.nspname = $1
      JOIN pg_attribute x ON x.attrelid = a.oid AND x.attnum > 0 AND NOT x.attisdropped
      JOIN pg_class b ON b.relname = a.relname JOIN pg_namespace m ON m.oid = b.relnamespace AND m.nspname = $2
      JOIN pg_attribute y ON y.attrelid = b.oid AND y.attname = x.attname AND NOT y.attisdropped
    WHERE a.relkind = 'r'
  ), bases AS (
    SELECT DISTINCT source AS type, source AS base FROM pairs
    UNION
    SELECT b.type, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END
    FROM bases b JOIN pg_type t ON t.oid = b.base AND (t.typtype = 'd' OR t.typcategory = 'A' AND t.typelem <> 0)
  )
  SELECT "table", "column", format_type(target, atttypmod) AS type,
    CASE WHEN EXISTS (SELECT FROM bases b JOIN pg_type t ON t.oid = b.base
                      WHERE b.type = source AND t.typnamespace = 'pg_catalog'::regnamespace AND t.typname ~ '^reg[a-z]+$') THEN 'name'
         WHEN source <> target THEN 'text' ELSE 'direct' END AS route
  FROM pairs`;
