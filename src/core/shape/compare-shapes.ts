import type { Shape, ShapeObject } from './shape.ts';

/** How an object differs from the reference's. */
export interface ShapeDifference {
  readonly kind: string;
  readonly name: string;
  readonly difference: 'missing' | 'extra' | 'changed';
  /** The reference's statement; undefined if the object is extra. */
  readonly expected?: string | undefined;
  /** Undefined if the object is missing. */
  readonly found?: string | undefined;
}

/** Kinds whose statements PostgreSQL writes from a parsed query, in other words in another major version. */
const PARSED = new Set(['view', 'materialized view', 'rule']);

/**
 * The differences of `other`, in the order of kinds. Of servers of two major versions, views and rules are compared by
 * name only. Pure.
 */
export function compareShapes(reference: Shape, other: Shape): readonly ShapeDifference[] {
  if (reference.digest === other.digest) return [];
  const isOtherMajor = reference.serverMajor !== other.serverMajor;
  const expected = byKey(reference);
  const found = byKey(other);
  const differences = [...expected].flatMap(([key, object]) => {
    const counterpart = found.get(key);
    const isAlike =
      counterpart !== undefined &&
      (counterpart.sql === object.sql || (isOtherMajor && PARSED.has(object.kind)));
    return isAlike ? [] : [differenceOf(object, counterpart)];
  });
  const extra = [...found].filter(([key]) => !expected.has(key)).map(([, object]) => object);
  return [
    ...differences,
    ...extra.map((object) => differenceOf(undefined, object)),
    ...compareOrder(reference, other),
  ];
}

function byKey({ objects }: Shape): Map<string, ShapeObject> {
  return new Map(objects.map((object) => [`${object.kind} ${object.name}`, object]));
}

function differenceOf(expected: ShapeObject | undefined, found: ShapeObject | undefined): ShapeDifference {
  const { kind = '', name = '' } = expected ?? found ?? {};
  if (expected === undefined) return { kind, name, difference: 'extra', found: found?.sql };
  if (found === undefined) return { kind, name, difference: 'missing', expected: expected.sql };
  return { kind, name, difference: 'changed', expected: expected.sql, found: found.sql };
}

/** Tables whose common columns stand in another order. */
function compareOrder(reference: Shape, other: Shape): ShapeDifference[] {
  const found = columnsByTable(other);
  return [...columnsByTable(reference)].flatMap(([table, columns]) => {
    const theirs = found.get(table) ?? [];
    const expected = columns.filter((name) => theirs.includes(name)).join(', ');
    const actual = theirs.filter((name) => columns.includes(name)).join(', ');
    if (expected === actual) return [];
    const name = `columns of ${table}`;
    return [{ kind: 'order', name, difference: 'changed' as const, expected, found: actual }];
  });
}

/** Names like `notes.title`. */
function columnsByTable({ objects }: Shape): Map<string, string[]> {
  const columns = objects.filter(({ table }) => table !== undefined);
  const byTable = Map.groupBy(columns, ({ table = '' }) => table);
  return new Map([...byTable].map(([table, all]) => [table, all.map(({ name }) => name)]));
}
