import { types } from 'pg';

/** Its type declaration is wrong. */
const arrays = types.arrayParser as unknown as {
  create(text: string, toItem: (text: string) => string): { parse(): readonly unknown[] };
};

/** Type oids: https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat */
const BOOL = 16;
const INT8 = 20;
const FLOATS = new Set([700, 701]);
/** int2, int4, oid */
const SMALL_NUMBERS = new Set([21, 23, 26]);
const JSONS = new Set([114, 3802]);
const TEXT = 25;

/** The element type of each common array type; other elements are strings. */
const ELEMENTS = new Map<number, number>([
  [1000, BOOL],
  [1005, 21],
  [1007, 23],
  [1016, INT8],
  [1021, 700],
  [1022, 701],
  [1028, 26],
  [199, 114],
  [3807, 3802],
  // bytea, name, text, char, varchar, inet, timestamp, date, time, timestamptz, interval, numeric, uuid
  ...[1001, 1003, 1009, 1014, 1015, 1041, 1115, 1182, 1183, 1185, 1187, 1231, 2951].map(
    (array) => [array, TEXT] as const,
  ),
]);

/**
 * Converts a value as PostgreSQL prints it to one line of JSON, without loss: numerics, an int8 beyond 2^53,
 * NaN and Infinity become strings. json and jsonb are kept. Types that JSON lacks become PostgreSQL's string.
 * @param type type oid
 */
export function jsonValue(type: number, value: string | null): string {
  if (value === null) return 'null';
  if (type === BOOL) return value === 't' ? 'true' : 'false';
  if (SMALL_NUMBERS.has(type)) return value;
  if (type === INT8 && Number.isSafeInteger(Number(value))) return value;
  if (FLOATS.has(type) && Number.isFinite(Number(value))) return value;
  // A line break in JSON is between tokens: within a string it is escaped.
  if (JSONS.has(type)) return value.replaceAll(/[\r\n]+/g, ' ');
  const element = ELEMENTS.get(type);
  if (element === undefined) return JSON.stringify(value);
  return jsonArray(arrays.create(value, (each) => jsonValue(element, each)).parse());
}

/** @param items JSON texts, null for NULL, or arrays of them */
function jsonArray(items: readonly unknown[]): string {
  return `[${items.map((item) => (Array.isArray(item) ? jsonArray(item) : String(item))).join(',')}]`;
}
