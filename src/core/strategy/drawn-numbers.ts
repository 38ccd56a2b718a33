import type { Database } from '../../db/database.ts';
import { lockTableOf } from '../target/history.ts';
import { transactionsOf, type CompiledStep } from './compiled.ts';

/** SQL that may draw a number from a sequence. A rollback does not take it back. */
const DRAWS = /\b(?:insert|merge|copy|nextval|setval)\b/i;

/**
 * Leaves to Knex each step that compares an answer when numbers may have been drawn from a sequence before. If the
 * answer differed, the tenant would be rolled back, and get other ids than with Knex. Pure.
 */
export function withoutLostNumbers(steps: readonly CompiledStep[]): CompiledStep[] {
  return transactionsOf(steps).flatMap(withoutLostIn);
}

function withoutLostIn(transaction: readonly CompiledStep[]): CompiledStep[] {
  let hasDrawn = false;
  return transaction.map((step) => {
    // What Knex sends for another tenant is unknown.
    if ('interactive' in step) hasDrawn = true;
    else
      for (const { text, answer } of step.pieces) {
        hasDrawn ||= DRAWS.test(text);
        if (!hasDrawn || answer === undefined) continue;
        const { name, needsCommit } = step;
        return { name, needsCommit, interactive: 'it reads after ids may have been taken from a sequence' };
      }
    return step;
  });
}

/** Whether a tenant has sequences of its own, besides those of the history. */
export async function hasSequences(
  { query, names: { tenantHistory } }: Pick<Database, 'query' | 'names'>,
  schema: string,
): Promise<boolean> {
  const { rows } = await query(
    `SELECT FROM pg_class s WHERE s.relkind = 'S' AND s.relnamespace = to_regnamespace(quote_ident($1))
       AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_class c ON c.oid = d.refobjid
         WHERE d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.refclassid = 'pg_class'::regclass
           AND c.relname = ANY ($2)) LIMIT 1`,
    [schema, [tenantHistory, lockTableOf(tenantHistory)]],
  );
  return rows.length > 0;
}
