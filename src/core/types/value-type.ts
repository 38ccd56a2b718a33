import type { PgType } from './read-relations.ts';

/** What queries return, and what they take, as TypeScript. */
export interface ValueType {
  readonly read: string;
  readonly write: string;
  /** Both in one, as Kysely has it. */
  readonly both: string;
}

/** Declared in the output if used: what `pg` reads and writes where the two differ. */
const ALIASES: Readonly<Record<string, Pick<ValueType, 'read' | 'write'>>> = {
  Circle: { read: '{ radius: number; x: number; y: number }', write: 'string' },
  Int8: { read: 'string', write: 'bigint | number | string' },
  Interval: { read: 'IntervalValue', write: 'IntervalValue | string' },
  Json: { read: 'JsonValue', write: 'JsonInput' },
  Numeric: { read: 'string', write: 'number | string' },
  Point: { read: '{ x: number; y: number }', write: 'string' },
  Timestamp: { read: 'Date', write: 'Date | string' },
};

/** What ALIASES and columns refer to. The first two are as in kysely-codegen. */
const HELPERS: Readonly<Record<string, string>> = {
  Generated: `export type Generated<T> = T extends ColumnType<infer S, infer I, infer U>
  ? ColumnType<S, I | undefined, U>
  : ColumnType<T, T | undefined, T>;`,
  JsonValue: 'export type JsonValue = boolean | JsonObject | JsonValue[] | null | number | string;',
  JsonObject: 'export interface JsonObject {\n  [key: string]: JsonValue | undefined;\n}',
  JsonInput: `/**
 * pg sends a string as it is, and an array as an array of PostgreSQL: give JSON.stringify(value) instead of these.
 */
export type JsonInput = boolean | JsonObject | number | string;`,
  IntervalValue: `export interface IntervalValue {
${['years', 'months', 'days', 'hours', 'minutes', 'seconds', 'milliseconds'].map((unit) => `  ${unit}?: number;`).join('\n')}
  toPostgres(): string;
  toISO(): string;
}`,
  ...Object.fromEntries(
    Object.entries(ALIASES).map(([name, { read, write }]) => [
      name,
      `export type ${name} = ${columnType(read, write)};`,
    ]),
  ),
};

/** Names that the output takes from elsewhere. */
const IMPORTED = ['ColumnType', 'GeneratedAlways'];
const GLOBAL = ['Buffer', 'Date', 'Omit'];

/** Names that no table may have. */
export const TAKEN: readonly string[] = [...Object.keys(HELPERS), ...IMPORTED, ...GLOBAL];

/** Types of pg_catalog that `pg` reads as something else than text: https://github.com/brianc/node-pg-types */
const SCALARS: Readonly<Record<string, string>> = {
  bool: 'boolean',
  bytea: 'Buffer',
  circle: 'Circle',
  date: 'Timestamp',
  float4: 'number',
  float8: 'number',
  int2: 'number',
  int4: 'number',
  int8: 'Int8',
  interval: 'Interval',
  json: 'Json',
  jsonb: 'Json',
  numeric: 'Numeric',
  oid: 'number',
  point: 'Point',
  timestamp: 'Timestamp',
  timestamptz: 'Timestamp',
};

/** Element types whose arrays `pg` reads as arrays; others, such as an enum's, are text: "{a,b}". */
const IN_ARRAYS = new Set(
  `bool bytea int2 int4 oid int8 point float4 float8 numeric bpchar varchar text macaddr inet cidr timestamp date
  timestamptz interval json jsonb numrange uuid money time timetz`.split(/\s+/),
);

/** @param enumName the declared name of an enum's type */
export function valueTypeOf(type: PgType, isArray: boolean, enumName: (type: PgType) => string): ValueType {
  const isBuiltIn = type.schema === 'pg_catalog';
  const name = type.labels === null ? (isBuiltIn && SCALARS[type.name]) || 'string' : enumName(type);
  const { read, write } = ALIASES[name] ?? { read: name, write: name };
  if (!isArray) return { read, write, both: name };
  const items = write.includes('|') ? `(${write})[]` : `${write}[]`;
  if (!isBuiltIn || !IN_ARRAYS.has(type.name)) return distinct('string', `${items} | string`);
  // pg reads the elements as numbers, whatever is lost.
  return distinct(type.name === 'numeric' ? 'number[]' : `${read}[]`, items);
}

function distinct(read: string, write: string): ValueType {
  return { read, write, both: read === write ? read : columnType(read, write) };
}

function columnType(read: string, write: string): string {
  return `ColumnType<${read}, ${write}, ${write}>`;
}

/** The import and the declarations that some types need, and those that these need. */
export function declarationsFor(types: Iterable<string>): string[] {
  const used = new Set<string>();
  const use = (text: string) => {
    for (const [name] of text.matchAll(/\b[A-Z]\w*/g)) {
      if (used.has(name)) continue;
      used.add(name);
      use(HELPERS[name] ?? '');
    }
  };
  for (const type of types) use(type);
  const imported = IMPORTED.filter((name) => used.has(name));
  const helpers = Object.keys(HELPERS)
    .toSorted()
    .filter((name) => used.has(name));
  return [
    ...(imported.length > 0 ? [`import type { ${imported.join(', ')} } from "kysely";`] : []),
    ...helpers.flatMap((name) => HELPERS[name] ?? []),
  ];
}
