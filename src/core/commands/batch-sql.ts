import type { QueryResult } from 'pg';
import { parse, walk } from '../../db/parser.ts';
import { TenantctlError } from '../../errors.ts';
import { listed } from '../../wording.ts';
import type { ParsedStatement } from '../files/parse-sql.ts';

/** Statements whose command tag has the number of rows (https://www.postgresql.org/docs/current/protocol-message-formats.html). */
const COUNTED = new Set(['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt']);

const HINT =
  'The last statement says how many rows the batch has changed: an INSERT, UPDATE, DELETE or MERGE by itself, a SELECT by returning one number, such as WITH done AS (UPDATE ... RETURNING 1) SELECT count(*) FROM done.';

/** Functions that write nothing. Any other may. */
const AGGREGATES = new Set<unknown>(['count', 'sum', 'min', 'max']);

/**
 * Checks what can be known of a batch from its text.
 * @returns a warning if it may find the same rows again and again
 * @throws TenantctlError USAGE if it only reads, or its last statement cannot say how many rows it has changed
 */
export async function examineBatch(statements: readonly ParsedStatement[]): Promise<string | undefined> {
  const last = statements.at(-1);
  if (last === undefined || !(COUNTED.has(last.kind) || last.kind === 'SelectStmt'))
    throw new TenantctlError('USAGE', 'The batch does not say how many rows it changes.', { hint: HINT });
  const { stmts } = await parse(last.text);
  const named = new Set<unknown>();
  const updates: string[][] = [];
  let writes = statements.length > 1;
  walk(stmts, (kind, node) => {
    writes ||= COUNTED.has(kind) || (kind === 'FuncCall' && !AGGREGATES.has(lastName(node.funcname)));
    if (kind === 'ColumnRef') named.add(lastName(node.fields));
    if (kind === 'UpdateStmt') updates.push(columnsSet(node.targetList));
  });
  if (!writes) throw new TenantctlError('USAGE', 'The batch only reads.', { hint: HINT });
  const [same] = updates.filter((columns) => !columns.some((column) => named.has(column)));
  if (same === undefined) return undefined;
  return `The batch sets ${listed(same)}, and no condition names ${same.length === 1 ? 'it' : 'them'}: it may change the same rows again and again. Leave out the rows that are done, as with WHERE ${same[0]} IS NULL.`;
}

/** The last part of a name; undefined for a star. */
function lastName(parts: unknown): unknown {
  const [last] = Array.isArray(parts) ? parts.slice(-1) : [];
  return (last as { readonly String?: { readonly sval?: string } } | undefined)?.String?.sval;
}

function columnsSet(targets: unknown): string[] {
  if (!Array.isArray(targets)) return [];
  return targets.flatMap(
    (target: { readonly ResTarget?: { readonly name?: string } }) => target.ResTarget?.name ?? [],
  );
}

/** How many rows a batch has changed. @throws TenantctlError USAGE if its SELECT returned something else */
export function rowsChanged(answer: QueryResult | readonly QueryResult[]): number {
  const last = 'command' in answer ? answer : answer.at(-1);
  if (last === undefined) return 0;
  if (last.command !== 'SELECT') return last.rowCount ?? 0;
  const values = Object.values((last.rows[0] ?? {}) as Readonly<Record<string, string | number | null>>);
  // The sum of no rows is NULL. A function that returns nothing is an empty text, which is no number.
  const shown = String(values[0] ?? 0);
  if (last.fields.length === 1 && last.rows.length === 1 && /^\d+$/.test(shown)) return Number(shown);
  throw new TenantctlError('USAGE', 'The batch did not return one number.', { hint: HINT });
}
