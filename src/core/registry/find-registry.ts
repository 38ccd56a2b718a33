import type { Database } from '../../db/database.ts';
import { identifier, qualified } from '../../db/sql.ts';
import { STATUSES } from '../../names.ts';
import { KNEX_HISTORIES } from './other-histories.ts';
import { ID_TYPES, TEXT_TYPES } from './column-types.ts';

/** The schemas of tenants that Knex has migrated. */
const TENANTS = `WITH tenants AS MATERIALIZED (SELECT k.schema FROM (${KNEX_HISTORIES}) k WHERE k.schema <> 'public')`;

/** Tables larger than this are searched by a unique index only. */
const SEARCHED_BYTES = 8 * 1_024 * 1_024;

interface Column {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  readonly type: string;
  readonly isEnum: boolean;
  readonly isUnique: boolean;
  readonly isPrimary: boolean;
  readonly isSmall: boolean;
}

/**
 * Looks for the table that lists the schemas that Knex has migrated: it is the registry under another name.
 * @returns the variables that name it; empty if there is none
 */
export async function findRegistry(database: Database): Promise<string[]> {
  const columns = await readColumns(database);
  const best = await mostMatching(
    database,
    columns.filter(({ type, isUnique, isSmall }) => TEXT_TYPES.includes(type) && (isUnique || isSmall)),
  );
  if (best === undefined) return [];
  const others = columns.filter(
    (each) => each.schema === best.schema && each.table === best.table && each.column !== best.column,
  );
  const isText = ({ type }: Column) => TEXT_TYPES.includes(type);
  // Rather a name or an id from outside than the table's own key.
  const [organization] = others
    .filter(({ isUnique, type }) => isUnique && ID_TYPES.includes(type))
    .toSorted((a, b) => Number(a.isPrimary) - Number(b.isPrimary) || Number(isText(b)) - Number(isText(a)));
  const status =
    others.find((each) => /(?:^|_)(?:status|state)$/.test(each.column) && (each.isEnum || isText(each))) ??
    others.find(({ isEnum }) => isEnum);
  const mapped = `organization=${organization?.column ?? '...'},schema=${best.column},status=${status?.column ?? 'status'}`;
  return [
    `REGISTRY_TABLE=${best.schema}.${best.table}`,
    `REGISTRY_COLUMNS=${mapped}`,
    ...(status === undefined ? [] : await statusesOf(database, status)),
  ];
}

/** Maps statuses that are written in another case; others are for a person to map (`doctor` names them). */
async function statusesOf(database: Database, { schema, table, column }: Column): Promise<string[]> {
  const { rows } = await database.query<{ value: string }>(
    `SELECT DISTINCT ${identifier(column)}::text AS value FROM ${qualified(schema, table)} ORDER BY 1 LIMIT 100`,
  );
  const values = rows.map(({ value }) => value);
  const mapped = STATUSES.flatMap((word) => {
    const written = values.filter((value) => value !== word && value?.toUpperCase() === word);
    return written.length === 0 ? [] : `${word}=${written.join('|')}`;
  });
  return mapped.length === 0 ? [] : [`REGISTRY_STATUSES=${mapped.join(',')}`];
}

/** The columns of all readable tables outside the tenants' schemas; none if Knex has migrated no tenant. */
async function readColumns(database: Database): Promise<Column[]> {
  const { rows } = await database.query<Column>(
    `${TENANTS}
     SELECT n.nspname::text AS schema, c.relname::text AS table, a.attname::text AS column, b.typname::text AS type,
            b.typtype = 'e' AS "isEnum", pg_relation_size(c.oid) < ${SEARCHED_BYTES} AS "isSmall",
            u.key IS NOT NULL AS "isUnique", coalesce(u.key, false) AS "isPrimary"
     FROM pg_class c
     JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     JOIN pg_type t ON t.oid = a.atttypid
     JOIN pg_type b ON b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
     CROSS JOIN LATERAL (SELECT bool_or(i.indisprimary) AS key FROM pg_index i
                         WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
                           AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum) u
     WHERE c.relkind IN ('r', 'p') AND has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')
       AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'tenantctl')
       AND n.nspname NOT IN (SELECT schema FROM tenants) AND EXISTS (SELECT FROM tenants)
     ORDER BY n.nspname <> 'public', 1, 2, a.attnum LIMIT 2000`,
  );
  return rows;
}

/** The column that holds the names of the most schemas with a history of Knex. */
async function mostMatching(database: Database, columns: readonly Column[]): Promise<Column | undefined> {
  if (columns.length === 0) return undefined;
  const counts = columns.map(
    ({ schema, table, column }, index) =>
      `SELECT ${index} AS index, count(*)::int AS matches FROM ${qualified(schema, table)} WHERE ${identifier(column)}::text IN (SELECT schema FROM tenants)`,
  );
  const { rows } = await database.query<{ index: number; matches: number }>(
    `${TENANTS}
     ${counts.join('\nUNION ALL\n')} ORDER BY 2 DESC, 1`,
  );
  const [best] = rows;
  return best === undefined || best.matches === 0 ? undefined : columns[best.index];
}
