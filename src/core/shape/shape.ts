import { createHash, hash } from 'node:crypto';
import { KINDS } from './kinds.ts';

/** The name of the schema in a shape, instead of the tenant's own. */
export const NEUTRAL_SCHEMA = 'tenant_schema';

/**
 * One object of a schema, or one thing that was said of an object: a comment, a grant, a state. `sql` is the statement
 * that creates it, without a semicolon; of a column, its line in CREATE TABLE. It is written for a search path of the
 * schema alone.
 */
export interface ShapeObject {
  /** One of KINDS. */
  readonly kind: string;
  /** Unique within the kind, quoted where SQL needs it: `notes.title`, `notes_pkey on notes`. */
  readonly name: string;
  readonly sql: string;
  /** Of a column. */
  readonly table?: string;
}

/** The fingerprint of a schema: docs/drift.md lists what is in it. */
export interface Shape {
  readonly schema: string;
  /** SHA-256 in hex. Schemas with equal digests have equal objects. */
  readonly digest: string;
  /** The major version of PostgreSQL that wrote the statements. */
  readonly serverMajor: number;
  /** Sorted by kind and name; columns in the order of their table. */
  readonly objects: readonly ShapeObject[];
}

/** A row of shapeQuery, but the first. */
export interface ShapeRow {
  readonly kind: string;
  readonly name: string;
  readonly sql: string;
  readonly table: string | null;
  readonly place: number;
}

/** Pure. */
export function toShape(schema: string, serverMajor: number, rows: readonly ShapeRow[]): Shape {
  const neutral = neutralizer(schema, rows);
  const objects = rows.map(({ kind, name, sql, table, place }) => {
    const object: ShapeObject = { kind, name: neutral(name), sql: neutral(sql) };
    return { object: table === null ? object : { ...object, table: neutral(table) }, place };
  });
  const sorted = objects.toSorted(
    (a, b) =>
      rankOf(a.object.kind) - rankOf(b.object.kind) ||
      compareText(a.object.table ?? a.object.name, b.object.table ?? b.object.name) ||
      a.place - b.place ||
      compareText(a.object.name, b.object.name),
  );
  const digest = createHash('sha256');
  for (const { object } of sorted) digest.update(digestOf(object));
  return { schema, digest: digest.digest('hex'), serverMajor, objects: sorted.map(({ object }) => object) };
}

/** SHA-256 in hex of one object. */
export function digestOf({ kind, name, sql }: ShapeObject): string {
  return hash('sha256', `${kind}\0${name}\0${sql}`);
}

const RANKS = new Map<string, number>(KINDS.map((kind, rank) => [kind, rank]));

export function rankOf(kind: string): number {
  return RANKS.get(kind) ?? KINDS.length;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Migrations may write the schema's name into texts, for example into a function's SET search_path or its body, which
 * PostgreSQL keeps as they are. There, as a whole identifier, it is replaced. A schema may also have the name of one of
 * its own objects; then nothing is replaced, because a text does not tell which of them it means.
 */
function neutralizer(schema: string, rows: readonly ShapeRow[]): (text: string) => string {
  if (rows.some(({ name }) => identifiersIn(name).includes(schema))) return (text) => text;
  const names = [`"${schema.replaceAll('"', '""')}"`, schema];
  const [quoted, plain] = names.map(escaped);
  const pattern = new RegExp(`${quoted}|(?<![\\p{L}\\p{N}_$])${plain}(?![\\p{L}\\p{N}_$])`, 'gu');
  return (text) => (names.some((name) => text.includes(name)) ? text.replace(pattern, NEUTRAL_SCHEMA) : text);
}

function identifiersIn(name: string): string[] {
  const found = name.matchAll(/"((?:[^"]|"")+)"|[\p{L}_][\p{L}\p{N}_$]*/gu);
  return [...found].map(([plain, quoted]) => quoted?.replaceAll('""', '"') ?? plain);
}

/** With the flag u, no other character may be escaped. */
function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
}
