import type { Database } from '../../db/database.ts';
import type { Piece } from '../../db/knex/recording.ts';
import { each } from '../guard/own-objects.ts';
import { lockTableOf } from '../target/history.ts';
import { transactionsOf, type CompiledStep } from './compiled.ts';
import { mayRun } from './stores-text.ts';

/** SQL that may draw a number from a sequence by itself. A rollback does not take it back. */
const DRAWS = ['insert', 'merge', 'copy', 'nextval', 'setval', 'do', 'call'];

/** SQL that may run a trigger or a rule. */
const FIRES = ['update', 'delete', 'truncate'];

/** SQL of nested transactions: within one, the migration may catch what fails for a tenant. */
const MAY_CATCH = /\b(?:savepoint|release|rollback)\b/i;

/** Whether a tenant may turn out to be another than expected here, and to be served by Knex after all. Pure. */
export function mayDiffer({ text, answer }: Piece): boolean {
  return answer !== undefined || MAY_CATCH.test(text);
}

/** What may draw numbers in the tenants that follow. */
export interface Numbers {
  /** One of them has a sequence, besides those of the history. */
  readonly hasSequences: boolean;
  /** The names of functions, triggers' included, and of rules that may draw. */
  readonly drawnBy: readonly string[];
}

/**
 * Leaves to Knex each step that compares an answer, or may catch an error, when numbers may have been drawn from a
 * sequence before. If the tenant differed, it would be rolled back, and get other ids than with Knex. Pure.
 */
export function withoutLostNumbers(
  steps: readonly CompiledStep[],
  { hasSequences, drawnBy }: Numbers,
): CompiledStep[] {
  if (!hasSequences) return [...steps];
  const mayDraw = drawing(drawnBy);
  return transactionsOf(steps).flatMap((transaction) => withoutLostIn(transaction, mayDraw));
}

/** Whether a tenant may lose numbers if what it is sent fails. Pure. */
export function mayLoseNumbers(steps: readonly CompiledStep[], { hasSequences, drawnBy }: Numbers): boolean {
  const mayDraw = drawing(drawnBy);
  return (
    hasSequences &&
    steps.some((step) => 'interactive' in step || step.pieces.some(({ text }) => mayDraw(text)))
  );
}

function drawing(drawnBy: readonly string[]): (text: string) => boolean {
  const names = drawnBy.flatMap(wordsOf);
  const words = new Set([...DRAWS, ...(names.length > 0 ? FIRES : []), ...names]);
  return (text) => wordsOf(text).some((word) => words.has(word));
}

function wordsOf(text: string): readonly string[] {
  return text.toLowerCase().match(/\w+/g) ?? [];
}

function withoutLostIn(
  transaction: readonly CompiledStep[],
  mayDraw: (text: string) => boolean,
): CompiledStep[] {
  let hasDrawn = false;
  return transaction.map((step) => {
    // What Knex sends for another tenant is unknown.
    if ('interactive' in step) hasDrawn = true;
    else
      for (const piece of step.pieces) {
        hasDrawn ||= mayDraw(piece.text);
        if (!hasDrawn || !mayDiffer(piece)) continue;
        const { name, needsCommit } = step;
        return { name, needsCommit, interactive: 'it reads after ids may have been taken from a sequence' };
      }
    return step;
  });
}

/** @param schemas of the tenants that follow */
export async function readNumbers(
  { query, names: { tenantHistory } }: Pick<Database, 'query' | 'names'>,
  schemas: readonly string[],
): Promise<Numbers> {
  const { rows } = await query<Numbers>(
    `SELECT EXISTS (
         SELECT FROM pg_namespace n,
           ${each('pg_depend', 'd', `d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid AND d.classid = 'pg_class'::regclass`)},
           ${each('pg_class', 's', `s.oid = d.objid AND s.relkind = 'S'`)}
         WHERE n.nspname = ANY ($1) AND NOT EXISTS (
           SELECT FROM pg_depend o JOIN pg_class c ON c.oid = o.refobjid
           WHERE o.classid = 'pg_class'::regclass AND o.objid = s.oid AND o.refclassid = 'pg_class'::regclass
             AND c.relname = ANY ($2))) AS "hasSequences",
       ARRAY(
         SELECT p.proname::text FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
         WHERE p.oid >= 16384 AND p.pronamespace <> 'tenantctl'::regnamespace AND l.lanname NOT IN ('c', 'internal')
           AND ${mayRun('$2')}
           AND (p.prosrc = '' OR p.prosrc ~* '\\y(${DRAWS.join('|')}|execute)\\y')
         UNION SELECT r.rulename::text FROM pg_rewrite r WHERE r.oid >= 16384 AND r.ev_type <> '1') AS "drawnBy"`,
    [schemas, [tenantHistory, lockTableOf(tenantHistory)]],
  );
  return rows[0] ?? { hasSequences: true, drawnBy: [] };
}
