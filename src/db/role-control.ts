import { parse } from './parser.ts';

/** The settings that say as whom a session acts (https://www.postgresql.org/docs/current/sql-set-role.html). */
const ROLE_SETTINGS = new Set(['role', 'session_authorization']);
const SUSPECT = /\b(?:role|authorization|set_config|discard)\b/i;

/** A block that is run at once; its text is none of the parser's business. */
const CHANGES_IN_BLOCK =
  /\b(?:set|reset)\s+(?:(?:local|session)\s+)?(?:role|session\s+authorization)\b|\bset_config\s*\(\s*'(?:role|session_authorization)'/i;

/**
 * Whether an SQL text would act as another role than the one that it is run as: SET ROLE, RESET ROLE, SET SESSION
 * AUTHORIZATION, DISCARD ALL, set_config('role', …), a function with such a SET clause, a DO block with one of these in
 * its text. What a function does, and SQL that is put together while it runs, cannot be seen. A text that does not parse
 * is left to the server, which refuses it as a whole.
 */
export async function changesRole(text: string): Promise<boolean> {
  if (!SUSPECT.test(text)) return false;
  const parsed = await parse(text).catch(() => undefined);
  return (parsed?.stmts ?? []).some(({ stmt }) => holdsChange(stmt));
}

/** Looks through a parse tree: nodes are objects with one key, their kind. */
function holdsChange(node: unknown): boolean {
  if (Array.isArray(node)) return node.some(holdsChange);
  if (typeof node !== 'object' || node === null) return false;
  return Object.entries(node).some(([kind, body]) => isChange(kind, body) || holdsChange(body));
}

function isChange(kind: string, body: unknown): boolean {
  switch (kind) {
    case 'VariableSetStmt':
      return ROLE_SETTINGS.has((body as { name?: string }).name ?? '');
    case 'DiscardStmt':
      return (body as { target?: string }).target === 'DISCARD_ALL';
    case 'DoStmt':
      return CHANGES_IN_BLOCK.test(JSON.stringify(body).replaceAll(/\\[nrt]/g, ' '));
    case 'FuncCall': {
      const { funcname, args } = body as { funcname?: readonly Named[]; args?: readonly Constant[] };
      if (funcname?.at(-1)?.String?.sval !== 'set_config') return false;
      return ROLE_SETTINGS.has(args?.[0]?.A_Const?.sval?.sval?.toLowerCase() ?? '');
    }
    default:
      return false;
  }
}

interface Named {
  readonly String?: { readonly sval?: string };
}

interface Constant {
  readonly A_Const?: { readonly sval?: { readonly sval?: string } };
}
