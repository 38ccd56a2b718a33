import { isBuiltin } from 'node:module';
import type { Reference, Variable } from 'eslint-scope';
import type { MemberExpression, Node } from 'estree';
import { wrappedBy, type ParsedCode } from './parse-code.ts';

/** One module's code, with answers to what its names mean. */
export class ModuleCode {
  readonly nodes: readonly Node[];
  readonly #parsed: ParsedCode;
  readonly #references = new Map<Node, Reference>();

  constructor(parsed: ParsedCode) {
    this.#parsed = parsed;
    this.nodes = [...parsed.parents.keys()];
    for (const reference of parsed.scopes.scopes.flatMap(({ references }) => references)) {
      const node = reference.identifier as Node;
      if (parsed.parents.has(node)) this.#references.set(node, reference);
    }
  }

  /** Every use of a name. */
  get references(): Iterable<readonly [Node, Reference]> {
    return this.#references;
  }

  parent(node: Node): Node | undefined {
    return this.#parsed.parents.get(node);
  }

  variable(node: Node): Variable | undefined {
    return this.#references.get(node)?.resolved ?? undefined;
  }

  /** The variable that a node declares: `const name = ...`. */
  declaredBy(node: Node): Variable | undefined {
    return this.#parsed.scopes.getDeclaredVariables(node)[0];
  }

  /** Whether nameOf knows all variables that a node declares, wherever they are used. */
  namesDeclared(node: Node): boolean {
    const declared = this.#parsed.scopes.getDeclaredVariables(node);
    return declared.every((variable) => this.#nameOfVariable(variable) !== undefined);
  }

  /** The function that a node is in. Undefined at the top level, which runs once for all tenants. */
  functionOf(node: Node): Node | undefined {
    for (let at = this.parent(node); at !== undefined; at = this.parent(at)) {
      if (/^(?:FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(at.type)) return at;
    }
    return undefined;
  }

  /** What a function returns, as far as it says so. */
  resultsOf(callback: Node): Node[] {
    if (callback.type === 'ArrowFunctionExpression' && callback.body.type !== 'BlockStatement')
      return [callback.body];
    return this.nodes.flatMap((node) =>
      node.type === 'ReturnStatement' && node.argument && this.functionOf(node) === callback
        ? [node.argument]
        : [],
    );
  }

  /** Whether a node is what another module exports: its functions may be called like those of lists. */
  isModule(node: Node): boolean {
    if (requiredBy(node) !== undefined) return true;
    if (node.type === 'MemberExpression') return memberName(node) === 'default' && this.isModule(node.object);
    return (
      this.variable(node)?.defs.some(
        ({ type, node: declared }) =>
          type === 'ImportBinding' ||
          (declared.type === 'VariableDeclarator' && declared.init && this.isModule(declared.init)),
      ) === true
    );
  }

  /** Whether a variable lives as long as its module. */
  isOfModule({ scope }: Variable): boolean {
    return scope.variableScope.block === this.#parsed.program;
  }

  /**
   * What an expression is called, if it is a global, or part of one of Node's modules or of a package: `Math.floor`,
   * `node:fs.readFileSync`, `package:knex`.
   */
  nameOf(node: Node): string | undefined {
    const wrapped = wrappedBy(node);
    if (wrapped !== undefined) return this.nameOf(wrapped);
    switch (node.type) {
      case 'Identifier': {
        const reference = this.#references.get(node);
        if (reference?.isRead() !== true) return undefined;
        return reference.resolved === null ? node.name : this.#nameOfVariable(reference.resolved);
      }
      case 'MetaProperty':
        return `${node.meta.name}.${node.property.name}`;
      case 'MemberExpression': {
        const member = memberName(node);
        const object = member === undefined ? undefined : this.nameOf(node.object);
        return object === undefined ? undefined : `${object}.${member}`;
      }
      default: {
        const required = requiredBy(node);
        return required === undefined ? undefined : foreignName(required);
      }
    }
  }

  /** Of an import, or of what is set once to a `require`. */
  #nameOfVariable({ name, defs, references }: Variable): string | undefined {
    const [definition] = defs;
    if (definition?.type === 'ImportBinding') {
      const { node, parent } = definition;
      const module = foreignName(
        String((parent as { readonly source: { readonly value: unknown } }).source.value),
      );
      if (module === undefined || node.type !== 'ImportSpecifier') return module;
      const imported = node.imported.type === 'Identifier' ? node.imported.name : node.imported.value;
      return imported === 'default' ? module : `${module}.${imported}`;
    }
    const isSetOnce = references.filter((reference) => reference.isWrite()).length === 1;
    if (definition?.node.type !== 'VariableDeclarator' || !isSetOnce) return undefined;
    const { id, init } = definition.node;
    const specifier = init ? requiredBy(init) : undefined;
    const required = specifier === undefined ? undefined : foreignName(specifier);
    if (required === undefined || id.type === 'Identifier') return required;
    const key = simpleKeys(id)?.get(name);
    return key === undefined ? undefined : `${required}.${key}`;
  }
}

/** The variables of a pattern such as `{ join, sep: slash }` with their keys; undefined for any other pattern. */
function simpleKeys(pattern: Node): ReadonlyMap<string, string> | undefined {
  if (pattern.type !== 'ObjectPattern') return undefined;
  const keys = new Map<string, string>();
  for (const property of pattern.properties) {
    if (property.type !== 'Property' || property.computed || property.key.type !== 'Identifier')
      return undefined;
    if (property.value.type !== 'Identifier') return undefined;
    keys.set(property.value.name, property.key.name);
  }
  return keys;
}

/** What a member is called, unless its name is computed. */
export function memberName({ computed, property }: MemberExpression): string | undefined {
  if (!computed) return property.type === 'Identifier' ? property.name : undefined;
  return property.type === 'Literal' ? String(property.value) : undefined;
}

/** The module that `require('...')` names. */
export function requiredBy(node: Node): string | undefined {
  if (node.type !== 'CallExpression') return undefined;
  const [first] = node.arguments;
  if (node.callee.type !== 'Identifier' || node.callee.name !== 'require' || first?.type !== 'Literal')
    return undefined;
  return typeof first.value === 'string' ? first.value : undefined;
}

/** `node:fs` or `package:knex`; undefined for a file of the project. */
export function foreignName(specifier: string): string | undefined {
  if (/^\.{1,2}(?:\/|$)/.test(specifier)) return undefined;
  if (!isBuiltin(specifier)) return `package:${specifier}`;
  return `node:${specifier.replace(/^node:/, '').replaceAll('/', '.')}`;
}
