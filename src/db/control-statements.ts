import { parse, stringsOf, walk, type Node } from './parser.ts';

const TRANSACTION_WORDS = /\b(?:commit|end|abort|prepare|rollback(?!\s+(?:(?:work|transaction)\s+)?to\b))\b/i;
const TRANSACTION_ENDS = new Set<unknown>(['TRANS_STMT_COMMIT', 'TRANS_STMT_ROLLBACK', 'TRANS_STMT_PREPARE']);

const ROLE_WORDS = /\b(?:role|authorization|set_config|discard)\b/i;
/** https://www.postgresql.org/docs/current/sql-set-role.html */
const ROLE_SETTINGS = new Set<unknown>(['role', 'session_authorization']);
const CHANGES_IN_BLOCK =
  /\b(?:set|reset)\s+(?:(?:local|session)\s+)?(?:role|session\s+authorization)\b|\bset_config\s*\(\s*'(?:role|session_authorization)'/i;

/**
 * Whether an SQL text would end its transaction. Only PostgreSQL's own parser can tell: END also closes a
 * CASE, a comment may contain COMMIT, and COMMIT AND CHAIN leaves another transaction open.
 */
export async function endsTransaction(text: string): Promise<boolean> {
  return contains(
    text,
    TRANSACTION_WORDS,
    (kind, { kind: control }) => kind === 'TransactionStmt' && TRANSACTION_ENDS.has(control),
  );
}

/**
 * Whether an SQL text would change its role: SET ROLE, RESET ROLE, SET SESSION AUTHORIZATION, DISCARD ALL,
 * set_config('role', ...), also in a function's SET clause or a DO block. Function bodies and dynamic SQL are
 * not checked.
 */
export async function changesRole(text: string): Promise<boolean> {
  return contains(text, ROLE_WORDS, isRoleChange);
}

/** Whether a text contains a matching node. The server refuses a text that does not parse. */
async function contains(
  text: string,
  suspect: RegExp,
  matches: (kind: string, node: Node) => boolean,
): Promise<boolean> {
  if (!suspect.test(text)) return false;
  const parsed = await parse(text).catch(() => undefined);
  let found = false;
  walk(parsed?.stmts, (kind, node) => {
    found ||= matches(kind, node);
  });
  return found;
}

function isRoleChange(kind: string, node: Node): boolean {
  switch (kind) {
    case 'VariableSetStmt':
      return ROLE_SETTINGS.has(node.name);
    case 'DiscardStmt':
      return node.target === 'DISCARD_ALL';
    case 'DoStmt':
      return CHANGES_IN_BLOCK.test(JSON.stringify(node).replaceAll(/\\[nrt]/g, ' '));
    case 'FuncCall': {
      const [setting] = (node.args ?? []) as readonly { A_Const?: { sval?: { sval?: string } } }[];
      return (
        stringsOf(node.funcname).at(-1) === 'set_config' &&
        ROLE_SETTINGS.has(setting?.A_Const?.sval?.sval?.toLowerCase())
      );
    }
    default:
      return false;
  }
}
