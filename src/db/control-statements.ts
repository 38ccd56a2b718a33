import { parse, stringsOf, walk, type Node, type ParseTree } from './parser.ts';
import { CONTROL_WORDS, cutByTokens } from './unreadable.ts';

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

/** How a statement that cannot be read begins if it controls the transaction. */
const CONTROLLING = /^(?:abort|commit|end|release|rollback|savepoint|prepare transaction)\b/;

const ROLE_WORDS = /\b(?:role|authorization|set_config|discard)\b/i;
/** https://www.postgresql.org/docs/current/sql-set-role.html */
const ROLE_SETTINGS = new Set<unknown>(['role', 'session_authorization']);
const CHANGES_IN_BLOCK =
  /\b(?:set|reset)\s+(?:(?:local|session)\s+)?(?:role|session\s+authorization)\b|\bset_config\s*\(\s*'(?:role|session_authorization)'/i;

/**
 * The statements of a text that control the transaction, in order. Only PostgreSQL's own parser can tell: END
 * also closes a CASE, a comment may contain COMMIT, and COMMIT AND CHAIN leaves another transaction open. A
 * statement that it cannot read, and that begins as one of these, counts as one that ends the transaction.
 */
export async function controlsIn(text: string): Promise<readonly Control[]> {
  if (!CONTROL_WORDS.test(text)) return [];
  const tree = await parse(text).catch(() => undefined);
  if (tree !== undefined) return controlsOf(tree);
  const controls: Control[] = [];
  for (const { text: statement, problem, firstWords } of await cutByTokens(text)) {
    if (problem === undefined) controls.push(...controlsOf(await parse(statement)));
    else if (CONTROLLING.test(firstWords)) controls.push({ kind: 'ends', name: '' });
  }
  return controls;
}

function controlsOf({ stmts }: ParseTree): Control[] {
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
 */
export async function changesRole(text: string): Promise<boolean> {
  if (!ROLE_WORDS.test(text)) return false;
  const parsed = await parse(text).catch(() => undefined);
  if (parsed === undefined) return CHANGES_IN_BLOCK.test(text);
  let found = false;
  walk(parsed.stmts, (kind, node) => {
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
