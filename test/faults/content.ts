import { contentsOfSchemas } from '../support/tenant-content.ts';
import type { Query } from './databases.ts';

/** What belongs to the bookkeeping, and is judged for itself: Knex's two tables, and the trigger that watches them. */
const BOOKKEEPING = /knex_migrations_(?:tenant|master)|tenantctl_unstamp/;

/** Rows of the registry are judged for themselves too. */
const REGISTRY_ROW = /^row tenants /;

/** A column that a sequence fills: `column table.column type … identity=… default=…`. */
const FROM_SEQUENCE = /^column ([^ ]+)\.([^ .]+) .*(?:identity=[ad] |default=nextval)/;

/**
 * What migrations have made of each of these schemas, as lines that compare from one run to another. What sequences count
 * is left out: they go on counting when a transaction is rolled back.
 */
export async function readContents(query: Query, schemas: readonly string[]): Promise<string[][]> {
  const contents = await contentsOfSchemas({ query }, schemas);
  return contents.map((lines) => {
    const counted = new Set(
      lines.flatMap((line) => {
        const [, table, column] = FROM_SEQUENCE.exec(line) ?? [];
        return table === undefined ? [] : [`${table}.${column}`];
      }),
    );
    return lines
      .filter((line) => !BOOKKEEPING.test(line) && !REGISTRY_ROW.test(line) && !line.startsWith('sequence '))
      .map((line) => withoutCounted(line, counted))
      .toSorted();
  });
}

function withoutCounted(line: string, counted: ReadonlySet<string>): string {
  const [, table, row] = /^row ([^ ]+) (\{.*\})$/.exec(line) ?? [];
  if (table === undefined || row === undefined || counted.size === 0) return line;
  try {
    const columns = Object.entries(JSON.parse(row) as Record<string, unknown>);
    return `row ${table} ${JSON.stringify(Object.fromEntries(columns.filter(([name]) => !counted.has(`${table}.${name}`))))}`;
  } catch {
    return line;
  }
}
