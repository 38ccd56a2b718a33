import type { Row, SchemaContent } from './schema-content.ts';

/** What plain Knex makes of a schema, as far as it makes the same each time. */
export interface Reference {
  readonly content: SchemaContent;
  /** Definitions that differ between tenants or runs of plain Knex. */
  readonly unsteady: ReadonlySet<string>;
  /** Columns of tables, likewise. A table whose number of rows differs has all of them. */
  readonly unsteadyColumns: ReadonlyMap<string, ReadonlySet<string>>;
}

/** @param contents two tenants of two runs of plain Knex or more: values that differ among them are not compared */
export function referenceOf(contents: readonly SchemaContent[]): Reference {
  const [content, ...others] = contents;
  if (content === undefined) throw new Error('There is nothing to compare with.');
  const unsteady = new Set(
    contents
      .flatMap(({ definitions }) => [...definitions.keys()])
      .filter((name) => {
        const texts = contents.map(({ definitions }) => definitions.get(name));
        return new Set(texts).size > 1;
      }),
  );
  const unsteadyColumns = new Map(
    [...content.rows].map(([table, rows]) => {
      const columns = columnsOf(rows);
      const differing = columns.filter((column) =>
        others.some((other) => valuesOf(other.rows.get(table) ?? [], column) !== valuesOf(rows, column)),
      );
      return [table, new Set(differing)];
    }),
  );
  return { content, unsteady, unsteadyColumns };
}

/** `reference`, without what is unsteady in another one. */
export function withUnsteadyOf(other: Reference, reference: Reference): Reference {
  const columns = [...reference.unsteadyColumns].map(
    ([table, own]) => [table, new Set([...own, ...(other.unsteadyColumns.get(table) ?? [])])] as const,
  );
  return {
    content: reference.content,
    unsteady: new Set([...reference.unsteady, ...other.unsteady]),
    unsteadyColumns: new Map(columns),
  };
}

/** @returns a line for each difference to what plain Knex makes */
export function differencesTo(reference: Reference, found: SchemaContent): string[] {
  const { content, unsteady, unsteadyColumns } = reference;
  const names = new Set([...content.definitions.keys(), ...found.definitions.keys()]);
  const kinds = new Set([...unsteady].filter((name) => !content.definitions.has(name)).map(kindOf));
  const differences = [...names].flatMap((name) => {
    const [expected, actual] = [content.definitions.get(name), found.definitions.get(name)];
    if (expected === actual || unsteady.has(name)) return [];
    // A random name is another one each time.
    if (expected === undefined && kinds.has(kindOf(name))) return [];
    return [`${name}: Knex ${shown(expected)}, tenantctl ${shown(actual)}`];
  });
  for (const [table, rows] of content.rows) {
    const left = found.rows.get(table);
    if (left === undefined) continue;
    const ignored = unsteadyColumns.get(table) ?? new Set();
    const [expected, actual] = [textsOf(rows, ignored), textsOf(left, ignored)];
    const at = expected.findIndex((text, index) => text !== actual[index]);
    if (expected.length !== actual.length && ignored.size < columnsOf(rows).length)
      differences.push(`rows of ${table}: Knex ${expected.length}, tenantctl ${actual.length}`);
    else if (at !== -1)
      differences.push(`a row of ${table}: Knex ${shown(expected[at])}, tenantctl ${shown(actual[at])}`);
  }
  return differences;
}

const byText = (a: string, b: string) => (a < b ? -1 : Number(a > b));

const kindOf = (name: string) => name.split(' ')[0];

function shown(text: string | undefined): string {
  if (text === undefined) return 'has none';
  return text.length > 300 ? `${text.slice(0, 300)} …` : text;
}

function columnsOf(rows: readonly Row[]): string[] {
  return Object.keys(rows[0] ?? {});
}

function valuesOf(rows: readonly Row[], column: string): string {
  return JSON.stringify(rows.map((row) => row[column] ?? '').toSorted(byText));
}

function textsOf(rows: readonly Row[], ignored: ReadonlySet<string>): string[] {
  return rows
    .map((row) => JSON.stringify(Object.entries(row).filter(([column]) => !ignored.has(column))))
    .toSorted(byText);
}
