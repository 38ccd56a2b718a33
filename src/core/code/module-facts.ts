import { isBuiltin } from 'node:module';
import type { Reference, Variable } from 'eslint-scope';
import type { CallExpression, Identifier, MemberExpression, Node } from 'estree';
import type { ParsedCode } from './parse-code.ts';

/** Answers questions about one module's names and nodes. */
export class ModuleFacts {
  readonly nodes: readonly Node[];
  readonly #parents: ReadonlyMap<Node, Node>;
  readonly #references = new Map<Node, Reference>();
  readonly #moduleBlock: Node;

  constructor({ program, scopes, parents }: ParsedCode) {
    this.nodes = [...parents.keys()];
    this.#parents = parents;
    this.#moduleBlock = program;
    for (const scope of scopes.scopes) {
      for (const reference of scope.references) {
        if (parents.has(reference.identifier as Node))
          this.#references.set(reference.identifier as Node, reference);
      }
    }
  }

  /** Every use of a name. */
  get references(): Iterable<Reference> {
    return this.#references.values();
  }

  parent(node: Node): Node | undefined {
    return this.#parents.get(node);
  }

  variable(node: Node): Variable | undefined {
    return this.#references.get(node)?.resolved ?? undefined;
  }

  /** Every use of a variable. */
  usesOf(variable: Variable): Node[] {
    return variable.references
      .filter((reference) => reference.isRead())
      .map(({ identifier }) => identifier as Node)
      .filter((node) => this.#parents.has(node));
  }

  /** Whether the node runs anew for each tenant. */
  isInFunction(node: Node): boolean {
    for (let at = this.parent(node); at !== undefined; at = this.parent(at)) if (isFunction(at)) return true;
    return false;
  }

  /** Whether a variable lives as long as its module. */
  isOfModule({ scope }: Variable): boolean {
    return scope.variableScope.block === (this.#moduleBlock as unknown);
  }

  /**
   * The name of what an expression stands for, if that is a global or part of one of Node's modules or a package:
   * `Math.floor`, `node:fs.readFileSync`, `package:knex`.
   */
  nameOf(node: Node): string | undefined {
    if (node.type === 'Identifier') {
      const reference = this.#references.get(node);
      if (reference === undefined) return undefined;
      return reference.resolved === null ? node.name : this.#nameOfVariable(reference.resolved, node);
    }
    if (node.type === 'MetaProperty') return `${node.meta.name}.${node.property.name}`;
    const wrapped = wrappedBy(node);
    if (wrapped !== undefined) return this.nameOf(wrapped);
    const required = requiredBy(node);
    if (required !== undefined) return foreignName(required);
    if (node.type !== 'MemberExpression') return undefined;
    const member = memberName(node);
    const object = this.nameOf(node.object);
    return member === undefined || object === undefined ? undefined : `${object}.${member}`;
  }

  #nameOfVariable(variable: Variable, use: Node): string | undefined {
    const [definition, ...others] = variable.defs;
    if (definition === undefined || others.length > 0) return undefined;
    const node = definition.node as Node;
    if (definition.type === 'ImportBinding') {
      const source = (definition.parent as { source?: { value?: unknown } } | null)?.source?.value;
      const module = foreignName(String(source));
      if (module === undefined || node.type !== 'ImportSpecifier') return module;
      const imported = node.imported as Identifier;
      return imported.name === 'default' ? module : `${module}.${imported.name}`;
    }
    if (node.type !== 'VariableDeclarator' || !node.init || isWithin(node.init, use)) return undefined;
    const required = this.nameOfRequired(node.init);
    if (required === undefined || node.id.type === 'Identifier') return required;
    if (node.id.type !== 'ObjectPattern') return undefined;
    for (const property of node.id.properties) {
      if (property.type !== 'Property' || property.computed || property.key.type !== 'Identifier') continue;
      if (property.value.type === 'Identifier' && property.value.name === variable.name)
        return `${required}.${property.key.name}`;
    }
    return undefined;
  }

  /** `require('fs').promises`: what a constant may be short for. */
  nameOfRequired(node: Node): string | undefined {
    let root = node;
    while (root.type === 'MemberExpression') root = root.object;
    return requiredBy(root) === undefined ? undefined : this.nameOf(node);
  }
}

export function isFunction(node: Node): boolean {
  return /^(?:FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type);
}

/** What stands in `x as T`, `x!`, `x satisfies T` or an optional chain: the same value. */
export function wrappedBy(node: Node): Node | undefined {
  if (!(node.type.startsWith('TS') && 'expression' in node) && node.type !== 'ChainExpression')
    return undefined;
  return (node as { readonly expression: Node }).expression;
}

/** What a member is called, unless its name is computed. */
export function memberName(node: MemberExpression): string | undefined {
  if (!node.computed) return node.property.type === 'Identifier' ? node.property.name : undefined;
  return node.property.type === 'Literal' ? String(node.property.value) : undefined;
}

/** The module that `require('...')` names. */
export function requiredBy(node: Node): string | undefined {
  if (node.type !== 'CallExpression') return undefined;
  const {
    callee,
    arguments: [first],
  } = node as CallExpression;
  if (callee.type !== 'Identifier' || callee.name !== 'require' || first?.type !== 'Literal')
    return undefined;
  return typeof first.value === 'string' ? first.value : undefined;
}

/** `node:fs` or `package:knex`; undefined for a file of the project. */
export function foreignName(specifier: string): string | undefined {
  if (/^\.{1,2}(?:\/|$)/.test(specifier)) return undefined;
  return isBuiltin(specifier)
    ? `node:${specifier.replace(/^node:/, '').replaceAll('/', '.')}`
    : `package:${specifier}`;
}

function isWithin(outer: Node, inner: Node): boolean {
  const [start = 0, end = 0] = outer.range ?? [];
  return (inner.range?.[0] ?? 0) >= start && (inner.range?.[1] ?? 0) <= end;
}
