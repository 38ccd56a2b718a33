import type { ScopeManager } from 'eslint-scope';
import type { Node, Program } from 'estree';
import { exportsOf } from '../../db/exports-of.ts';

/** A module's syntax tree without its types, and which name means what. */
export interface ParsedCode {
  readonly program: Program;
  readonly scopes: ScopeManager;
  /** Each node that runs, in the order of the text, with the node that it is part of. */
  readonly parents: ReadonlyMap<Node, Node>;
}

/**
 * Parses JavaScript or TypeScript. Types are left out, as type stripping does, and an enum is a constant object.
 * @throws SyntaxError, also for TypeScript that emits code of its own, such as a namespace
 */
export async function parseCode(text: string, isTypeScript: boolean): Promise<ParsedCode> {
  // Loaded only here: most commands examine no code.
  const { analyze, parse } = exportsOf(await import('./packed-syntax.ts'));
  const program = parse(text, {
    sourceType: 'unambiguous',
    allowReturnOutsideFunction: true,
    ranges: true,
    plugins: isTypeScript ? ['estree', 'typescript'] : ['estree'],
  }).program as unknown as Program;
  const parents = new Map<Node, Node>();
  collect(program, parents);
  const scopes = analyze(program, {
    ecmaVersion: 2024,
    sourceType: program.sourceType === 'module' ? 'module' : 'commonjs',
    fallback: (node) => (isType(node) ? [] : keysOf(node)),
  });
  return { program, scopes, parents };
}

function collect(node: Node, parents: Map<Node, Node>): void {
  for (const key of keysOf(node)) {
    const holder = node as unknown as Record<string, unknown>;
    const value = holder[key];
    holder[key] = Array.isArray(value) ? value.map(withoutEnum) : withoutEnum(value);
    for (const child of [holder[key]].flat()) {
      if (!isNode(child) || isType(child)) continue;
      if (('declare' in child && child.declare === true) || emitsCode(child))
        throw new SyntaxError(`line ${lineOf(child)} is more than JavaScript with types`);
      parents.set(child, node);
      collect(child, parents);
    }
  }
}

interface Enum {
  readonly id: Node;
  readonly body: { readonly members: readonly { readonly id: Node; readonly initializer?: Node }[] };
}

/** A constant object in place of an enum: only that its members are constants matters to the analysis, not their values. */
function withoutEnum(value: unknown): unknown {
  if (!isNode(value) || (value.type as string) !== 'TSEnumDeclaration') return value;
  if ('declare' in value && value.declare === true) return value;
  const { id, body, range, loc } = value as Node & Enum;
  const made = (type: string, parts: object) => ({ type, range, loc, ...parts });
  const properties = body.members.map(({ id: key, initializer }) =>
    made('Property', { kind: 'init', key, value: initializer ?? made('Literal', { value: 0, raw: '0' }) }),
  );
  const declarator = made('VariableDeclarator', { id, init: made('ObjectExpression', { properties }) });
  return made('VariableDeclaration', { kind: 'const', declarations: [declarator] });
}

const NO_CODE = new Set(
  `type start end loc range extra comments leadingComments innerComments trailingComments
  typeAnnotation returnType typeParameters typeArguments superTypeArguments implements`.split(/\s+/),
);

function keysOf(node: Node): string[] {
  return Object.keys(node).filter((key) => !NO_CODE.has(key));
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

function isType(node: Node): boolean {
  const { type, importKind, exportKind, declare } = node as unknown as Record<string, unknown>;
  if (importKind === 'type' || exportKind === 'type') return true;
  if (type === 'TSDeclareFunction') return declare !== true;
  return type === 'TSInterfaceDeclaration' || type === 'TSTypeAliasDeclaration';
}

/** Only assertions are left out of expressions: see wrappedBy. */
function emitsCode({ type }: Node): boolean {
  return /^(?:TS(?!AsExpression|NonNullExpression|SatisfiesExpression|TypeAssertion)|Decorator)/.test(type);
}

/** What stands in `x as T`, `x!`, `x satisfies T` or an optional chain: the same value. */
export function wrappedBy(node: Node): Node | undefined {
  if (!node.type.startsWith('TS') && node.type !== 'ChainExpression') return undefined;
  return (node as { readonly expression: Node }).expression;
}

export function lineOf(node: Node): number {
  return node.loc?.start.line ?? 0;
}
