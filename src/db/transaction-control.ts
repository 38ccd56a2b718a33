import { parse } from './parser.ts';

/** Statements that end a transaction, or take it out of the session, in the parser's words. */
const ENDS = new Set(['TRANS_STMT_COMMIT', 'TRANS_STMT_ROLLBACK', 'TRANS_STMT_PREPARE']);
const SUSPECT = /\b(?:commit|end|abort|prepare|rollback(?!\s+(?:(?:work|transaction)\s+)?to\b))\b/i;

/**
 * Whether an SQL text would end the transaction that it is run in. Only PostgreSQL's own parser can tell: END also
 * closes a CASE, a comment may say COMMIT, and COMMIT AND CHAIN leaves a transaction open that is another one. A text
 * that does not parse is left to the server, which refuses it as a whole.
 */
export async function endsTransaction(text: string): Promise<boolean> {
  if (!SUSPECT.test(text)) return false;
  const parsed = await parse(text).catch(() => undefined);
  return (parsed?.stmts ?? []).some(({ stmt }) => {
    const control = (stmt as { TransactionStmt?: { kind?: string } } | undefined)?.TransactionStmt;
    return control?.kind !== undefined && ENDS.has(control.kind);
  });
}
