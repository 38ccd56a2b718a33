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

/** Thrown for what emits code beyond JavaScript: an enum, a namespace, a decorator. */
export class BeyondJavaScript extends Error {
  override readonly name = 'BeyondJavaScript';
}

/**
 * Parses JavaScript or TypeScript. Types are passed over, as type stripping does.
 * @throws SyntaxError, BeyondJavaScript
 */
export async function parseCode(text: string, isTypeScript: boolean): Promise<ParsedCode> {
  // Loaded only here: most commands examine no code.
  const { analyze, parse } = exportsOf(await import('./packed-syntax.ts'));
  const parseAs = (sourceType: 'unambiguous' | 'module') =>
    parse(text, {
      sourceType,
      allowReturnOutsideFunction: true,
      ranges: true,
      plugins: isTypeScript ? ['estree', 'typescript'] : ['estree'],
    }).program as unknown as Program;
  let program: Program;
  try {
    program = parseAs('unambiguous');
  } catch {
    // An await at the top level is the only sign of a module.
    program = parseAs('module');
  }
  const parents = new Map<Node, Node>();
  collect(program, parents);
  const scopes = analyze(program, {
    ecmaVersion: 2024,
    sourceType: program.sourceType === 'module' ? 'module' : 'commonjs',
    fallback: (node) => (isTypeOnly(node) ? [] : childKeys(node)),
  });
  return { program, scopes, parents };
}

function collect(node: Node, parents: Map<Node, Node>): void {
  for (const child of childrenOf(node)) {
    if (isTypeOnly(child)) continue;
    if (child.type.startsWith('TS') && !('expression' in child && !child.type.startsWith('TSExport')))
      throw new BeyondJavaScript(child.type);
    if ('declare' in child && child.declare === true) throw new BeyondJavaScript('declare');
    parents.set(child, node);
    collect(child, parents);
  }
}

/** What holds types only, beside the value. */
const TYPES = /^(?:typeAnnotation|returnType|typeParameters|typeArguments|superTypeArguments|implements)$/;

function childKeys(node: Node): string[] {
  return Object.keys(node).filter(
    (key) => !TYPES.test(key) && !/^(?:loc|range|extra|.*[cC]omments)$/.test(key),
  );
}

function childrenOf(node: Node): Node[] {
  return childKeys(node)
    .flatMap((key) => (node as unknown as Record<string, unknown>)[key])
    .filter((value): value is Node => typeof (value as Node | null | undefined)?.type === 'string');
}

function isTypeOnly(node: Node): boolean {
  const { type, importKind, exportKind, declare } = node as unknown as Record<string, unknown>;
  return (
    importKind === 'type' ||
    exportKind === 'type' ||
    type === 'TSInterfaceDeclaration' ||
    type === 'TSTypeAliasDeclaration' ||
    (type === 'TSDeclareFunction' && declare !== true)
  );
}

export function lineOf(node: Node): number {
  return node.loc?.start.line ?? 0;
}
