import type { Node } from 'estree';
import { memberName } from './module-code.ts';
import { parseCode } from './parse-code.ts';

/** What the code of a migration has of SQL, without being run. */
export interface SqlOfCode {
  /** Literal texts that begin as a definition does; `x` stands for each expression in them. */
  readonly texts: readonly string[];
  /** Methods that are called on a table that exists, such as `increments`. */
  readonly columns: readonly string[];
}

/** CREATE, ALTER and the like, after comments. */
const BEGINS_SQL = /^(?:\s|--[^\n]*\n|\/\*[^]*?\*\/)*(?:CREATE|ALTER|DROP|DO|COMMENT|GRANT)\b/i;

/** What Knex calls a change of a table (https://knexjs.org/guide/schema-builder.html#altertable). */
const CHANGES_TABLE = /^(?:alterTable|table)$/;

/** What undoes a migration is not read. @throws SyntaxError */
export async function sqlOfCode(code: string, isTypeScript: boolean): Promise<SqlOfCode> {
  const { parents } = await parseCode(code, isTypeScript);
  const texts: string[] = [];
  const columns: string[] = [];
  for (const node of parents.keys()) {
    const text = textOf(node);
    const method = methodOf(node);
    if (text === undefined && method === undefined) continue;
    const around = ancestorsOf(node, parents);
    if (around.some(isDown)) continue;
    if (text !== undefined && BEGINS_SQL.test(text)) texts.push(text);
    if (method !== undefined && isInChange([node, ...around])) columns.push(method);
  }
  return { texts, columns };
}

function textOf(node: Node): string | undefined {
  if (node.type === 'Literal') return typeof node.value === 'string' ? node.value : undefined;
  if (node.type !== 'TemplateLiteral') return undefined;
  return node.quasis.map(({ value }) => value.cooked ?? '').join('x');
}

function methodOf(node: Node): string | undefined {
  if (node.type !== 'CallExpression' || node.callee.type !== 'MemberExpression') return undefined;
  return memberName(node.callee) ?? undefined;
}

/** @param path a node, and all that it is part of */
function isInChange(path: readonly Node[]): boolean {
  return path.some((node, at) => {
    const [inner] = path.slice(at - 1);
    if (at === 0 || node.type !== 'CallExpression' || !CHANGES_TABLE.test(methodOf(node) ?? '')) return false;
    return node.arguments.some((argument) => argument === inner);
  });
}

function ancestorsOf(node: Node, parents: ReadonlyMap<Node, Node>): Node[] {
  const found: Node[] = [];
  for (let at = parents.get(node); at !== undefined; at = parents.get(at)) found.push(at);
  return found;
}

/** `function down`, `exports.down = ...`, `const down = ...`, `{ down: ... }` */
function isDown(node: Node): boolean {
  switch (node.type) {
    case 'FunctionDeclaration':
      return node.id?.name === 'down';
    case 'VariableDeclarator':
      return node.id.type === 'Identifier' && node.id.name === 'down';
    case 'AssignmentExpression':
      return node.left.type === 'MemberExpression' && memberName(node.left) === 'down';
    case 'Property':
      return node.key.type === 'Identifier' && node.key.name === 'down';
    default:
      return false;
  }
}
