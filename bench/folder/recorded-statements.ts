import { loadModule, parseSync } from 'libpg-query';
import { escapeLiteral } from 'pg';
import type { BoundStatement, Conversation } from '../wire/conversation.ts';

/** What one tenant was sent between two transactions, or outside of one. */
export interface RecordedStep {
  readonly inTransaction: boolean;
  readonly statements: readonly string[];
}

/**
 * What plain Knex sent one tenant: the migrations' statements, reads included, and the history's rows. What
 * only serves Knex's own order (its lock, its reads of the history, BEGIN and COMMIT) is left out.
 */
export async function recordedSteps(
  conversations: readonly Conversation[],
  historyTable: string,
): Promise<RecordedStep[]> {
  await loadModule();
  const steps: { inTransaction: boolean; statements: string[] }[] = [];
  for (const { requests } of conversations) {
    let isOpen = false;
    for (const { text, bound, isInTransaction = false } of requests.slice(1)) {
      const wasOpen = isOpen;
      isOpen = isInTransaction;
      const statement = bound === undefined ? text : withLiterals(bound);
      if (statement === undefined) continue;
      if (wasOpen !== isOpen && CONTROL.test(statement)) {
        if (isOpen) steps.push({ inTransaction: true, statements: [] });
        continue;
      }
      if (isKnexsOwn(statement, historyTable)) continue;
      const isHistory = statement.includes(historyTable);
      const last = steps.at(-1);
      if (
        last !== undefined &&
        (isHistory || last.inTransaction === wasOpen) &&
        (wasOpen || isHistory || !last.inTransaction)
      )
        last.statements.push(statement);
      else steps.push({ inTransaction: wasOpen || isHistory, statements: [statement] });
    }
  }
  return steps.filter(({ statements }) => statements.length > 0);
}

const CONTROL = /^\s*(begin|start transaction|commit|rollback|set transaction)\b/i;

/** Knex creates its tables and records rows: that is the tenant's. The rest is Knex's own. */
function isKnexsOwn(statement: string, historyTable: string): boolean {
  if (/^\s*(select version\(\)|set search_path to)/i.test(statement)) return true;
  if (!statement.includes(historyTable)) return false;
  return !/^\s*(create table|insert into)/i.test(statement);
}

/** Writes bound values as literals. The parser finds the parameters, in UTF-8 bytes. */
function withLiterals({ text, values }: BoundStatement): string {
  if (values.length === 0) return text;
  let bytes = Buffer.from(text);
  const found = parametersIn(parseSync(text)).toSorted((a, b) => b.location - a.location);
  for (const { number, location } of found) {
    const literal = Buffer.from(literalOf(values[number - 1] ?? null));
    const end = location + 1 + String(number).length;
    bytes = Buffer.concat([bytes.subarray(0, location), literal, bytes.subarray(end)]);
  }
  return bytes.toString();
}

function literalOf(value: string | Buffer | null): string {
  if (value === null) return 'NULL';
  return typeof value === 'string' ? escapeLiteral(value) : `'\\x${value.toString('hex')}'`;
}

interface Parameter {
  readonly number: number;
  readonly location: number;
}

function parametersIn(node: unknown): Parameter[] {
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries(node).flatMap(([name, child]: [string, unknown]) =>
    name === 'ParamRef' ? [child as Parameter] : parametersIn(child),
  );
}
