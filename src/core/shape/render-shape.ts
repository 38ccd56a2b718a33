import { orderStatements, type Statement } from './order-statements.ts';
import { NEUTRAL_SCHEMA, rankOf, type Shape, type ShapeObject } from './shape.ts';

const COLUMNS = rankOf('column');
const VIEWS = rankOf('view');
const AFTER_VIEWS = rankOf('default');

/**
 * The schema as SQL that creates it under the name tenant_schema: the canonical tenant, for reading, diffs and version
 * control. Pure; the same shape gives the same text.
 */
export function renderShape({ objects }: Shape): string {
  const columns = Map.groupBy(
    objects.filter(({ table }) => table !== undefined),
    ({ table }) => table,
  );
  const whole = objects
    .filter(({ table }) => table === undefined)
    .map((object) => ({ ...object, sql: withColumns(object, columns.get(object.name) ?? []) }));
  // Kinds are in an order in which they can be created; one type, function or view may need another of another kind.
  const between = (from: number, to: number) =>
    whole.filter(({ kind }) => rankOf(kind) >= from && rankOf(kind) < to).map(toStatement);
  const ordered = [
    ...orderStatements(between(0, COLUMNS)),
    ...between(COLUMNS, VIEWS),
    ...orderStatements(between(VIEWS, AFTER_VIEWS)),
    ...between(AFTER_VIEWS, Infinity),
  ];
  const statements = [
    `CREATE SCHEMA ${NEUTRAL_SCHEMA}`,
    `SET search_path TO ${NEUTRAL_SCHEMA}`,
    'SET check_function_bodies TO off',
    ...ordered.map(({ sql }) => sql),
  ];
  return statements.map((sql) => (sql.startsWith('--') ? `${sql}\n` : `${sql};\n`)).join('\n');
}

/** The name without arguments and quotes: `touch()`, `"Name"`. */
function toStatement({ name, sql }: ShapeObject): Statement {
  const plain = name.startsWith('"')
    ? name.slice(1, name.lastIndexOf('"')).replaceAll('""', '"')
    : name.replace(/\(.*/s, '');
  return { name: plain, sql };
}

/** CREATE TABLE with its columns between the brackets. */
function withColumns({ kind, name, sql }: ShapeObject, columns: readonly ShapeObject[]): string {
  if ((kind !== 'table' && kind !== 'foreign table') || columns.length === 0) return sql;
  const lines = columns.map((column) => `  ${column.sql}`).join(',\n');
  return sql.replace(`TABLE ${name} ()`, () => `TABLE ${name} (\n${lines}\n)`);
}
