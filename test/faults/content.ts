import { contentsOfSchemas } from '../support/tenant-content.ts';
import { APPLICATION } from './calls.ts';
import type { Query } from './databases.ts';

/** Judged separately: Knex's two tables and the trigger that watches them. */
const BOOKKEEPING = /knex_migrations_(?:tenant|master)|tenantctl_unstamp/;

/** Also judged separately. */
const REGISTRY_ROW = /^row tenants /;

/** A column filled by a sequence: `column table.column type … identity=… default=…`. */
const FROM_SEQUENCE = /^column ([^ ]+)\.([^ .]+) .*(?:identity=[ad] |default=nextval)/;

/** The content of these schemas as comparable lines, without sequence values: rollbacks do not undo those. */
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
      .map((line) => withoutCounted(withoutApplication(line), counted))
      .toSorted();
  });
}

/** The rights of an application's role are also judged separately. */
function withoutApplication(line: string): string {
  return line.replace(/ acl=\{([^}]*)\}/, (_, list: string) => {
    const others = list.split(',').filter((entry) => !entry.startsWith(`${APPLICATION}=`));
    // The first grant makes a list that names the owner, too.
    return others.length === 1 ? ' acl=' : ` acl={${others.join()}}`;
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
