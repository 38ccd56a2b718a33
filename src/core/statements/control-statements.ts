import { parse, stringsOf, walk, type Node, type ParseTree } from '../../db/parser.ts';
import type { LoneStatement } from '../../db/unreadable.ts';

/** A statement that controls the transaction, by the parser's name of it. */
export interface Control {
  readonly kind: 'ends' | 'savepoint' | 'release' | 'rollback-to';
  /** Of the savepoint. */
  readonly name: string;
}

const CONTROLS: Readonly<Record<string, Control['kind']>> = {
  TRANS_STMT_COMMIT: 'ends',
  TRANS_STMT_ROLLBACK: 'ends',
  TRANS_STMT_PREPARE: 'ends',
  TRANS_STMT_SAVEPOINT: 'savepoint',
  TRANS_STMT_RELEASE: 'release',
  TRANS_STMT_ROLLBACK_TO: 'rollback-to',
};

/** A text without any of these words controls neither its transaction nor savepoints. */
export const CONTROL_WORDS = /\b(?:abort|commit|end|prepare|release|rollback|savepoint)\b/i;

/** How a statement that cannot be read begins if it controls the transaction. */
const CONTROLLING = /^(?:abort|commit|end|release|rollback|savepoint|prepare transaction)\b/;

/** A text without any of these words does not change its role. */
export const ROLE_WORDS = /\b(?:role|authorization|set_config|discard)\b/i;
/** https://www.postgresql.org/docs/current/sql-set-role.html */
const ROLE_SETTINGS = new Set<unknown>(['role', 'session_authorization']);
const CHANGES_IN_BLOCK =
  /\b(?:set|reset)\s+(?:(?:local|session)\s+)?(?:role|session\s+authorization)\b|\bset_config\s*\(\s*'(?:role|session_authorization)'/i;

/** The controls of a text that the parser cannot read as a whole. */
export async function controlsOfUnread(statements: readonly LoneStatement[]): Promise<Control[]> {
  const controls: Control[] = [];
  for (const { text, problem, firstWords } of statements) {
    if (problem === undefined) controls.push(...controlsOf(await parse(text)));
    else if (CONTROLLING.test(firstWords)) controls.push({ kind: 'ends', name: '' });
  }
  return controls;
}

/**
 * The statements that control the transaction, in order. Only PostgreSQL's own parser can tell: END also closes a
 * CASE, a comment may contain COMMIT, and COMMIT AND CHAIN leaves another transaction open.
 */
export function controlsOf({ stmts }: ParseTree): Control[] {
  const controls: Control[] = [];
  walk(stmts, (node, { kind, savepoint_name: name = '' }) => {
    const control = node === 'TransactionStmt' ? CONTROLS[String(kind)] : undefined;
    if (control !== undefined) controls.push({ kind: control, name: String(name) });
  });
  return controls;
}

/**
 * Whether an SQL text would change its role: SET ROLE, RESET ROLE, SET SESSION AUTHORIZATION, DISCARD ALL,
 * set_config('role', ...), also in a function's SET clause or a DO block. Function bodies and dynamic SQL are
 * not checked.
 * @param tree undefined if the parser cannot read the text
 */
export function changesRole(text: string, tree: ParseTree | undefined): boolean {
  if (!ROLE_WORDS.test(text)) return false;
  if (tree === undefined) return CHANGES_IN_BLOCK.test(text);
  let found = false;
  walk(tree.stmts, (kind, node) => {
    found ||= isRoleChange(kind, node);
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
