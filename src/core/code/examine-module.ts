import type { Variable } from 'eslint-scope';
import type { Node } from 'estree';
import {
  FIXED_MEMBERS,
  judgeName,
  LOCATIONS,
  READS,
  REFUSED_MEMBERS,
  TYPES_ONLY,
  type Use,
} from './allowed.ts';
import { constantOf } from './constant.ts';
import { foreignName, memberName, ModuleFacts, requiredBy, wrappedBy } from './module-facts.ts';
import { lineOf, type ParsedCode } from './parse-code.ts';
import { examineState, type State } from './examine-state.ts';

export interface Finding {
  readonly kind: 'fixed' | 'varying';
  /** Continues the name of the module: "uses Date.now in line 3". */
  readonly text: string;
}

/** What one module uses of the world, and what of other files. */
export interface ModuleReport {
  readonly findings: readonly Finding[];
  readonly state: State;
  /** Relative imports. */
  readonly imports: readonly string[];
  /** Absolute paths of the files that it reads. */
  readonly reads: readonly string[];
}

/** Examines one module by itself. @param file its absolute path */
export function examineModule(code: ParsedCode, file: string): ModuleReport {
  const facts = new ModuleFacts(code);
  const imports: string[] = [];
  const reads: string[] = [];
  const findings: Finding[] = [];
  /** Places of the module that only serve to name a file that is read. */
  const located = new Set<Node>();
  const found = (node: Node, kind: Finding['kind'], text: string) =>
    findings.push({ kind, text: `${text} in line ${lineOf(node)}` });

  for (const node of facts.nodes) {
    const specifier = importOf(node);
    if (specifier !== undefined) {
      const foreign = foreignName(specifier);
      if (foreign === undefined) imports.push(specifier);
      else if (foreign.startsWith('package:') && !TYPES_ONLY.has(specifier))
        found(node, 'varying', `imports ${specifier}`);
      else if (node.type.startsWith('Export')) found(node, 'varying', `exports ${specifier}`);
    }
    const refused = refusedSyntax(node, facts);
    if (refused !== undefined) found(node, 'varying', `uses ${refused}`);
    if (FIXED_MEMBERS.has(staticMember(node) ?? '')) found(node, 'fixed', `uses ${staticMember(node)}`);
    if (node.type === 'CallExpression' && READS.has(facts.nameOf(node.callee) ?? '')) {
      const [path] = node.arguments;
      const value = path === undefined ? undefined : constantOf(path, file, facts, located);
      if (value === undefined || !/^(?:\/|[A-Za-z]:\\)/.test(value))
        found(node, 'varying', 'reads a file whose name is not a constant');
      else reads.push(value);
    }
  }
  for (const { node, name, use } of namesUsed(facts)) {
    if (READS.has(name) && use === 'called') continue;
    const [location] = [...LOCATIONS].filter((each) => name === each || name.startsWith(`${each}.`));
    if (location !== undefined) {
      if (!located.has(node)) found(node, 'fixed', `uses ${location}`);
      continue;
    }
    const kind = judgeName(name, use);
    if (kind !== 'pure') found(node, kind, `uses ${name.replace(/^\w+:/, '')}`);
  }
  for (const node of locatedElsewhere(facts, located)) found(node, 'fixed', 'uses the place of a file');
  return { findings, imports, reads, state: examineState(facts) };
}

/** A constant that holds a place, and is used for more than to name files. */
function locatedElsewhere(facts: ModuleFacts, located: ReadonlySet<Node>): Node[] {
  const variables = new Set<Variable>();
  for (const node of located) {
    const variable = facts.variable(node);
    if (variable !== undefined) variables.add(variable);
  }
  return [...variables].flatMap((variable) => facts.usesOf(variable)).filter((use) => !located.has(use));
}

function importOf(node: Node): string | undefined {
  const { source } = node as { source?: { type: string; value?: unknown } | null };
  if (/^(?:Import|Export)(?:\w*Declaration|Expression)$/.test(node.type) && typeof source?.value === 'string')
    return source.value;
  return requiredBy(node);
}

interface NameUsed {
  readonly node: Node;
  readonly name: string;
  readonly use: Use;
}

/** Every global, and every part of a foreign module, with the members that are asked of it. */
function namesUsed(facts: ModuleFacts): NameUsed[] {
  const used: NameUsed[] = [];
  for (const start of facts.nodes) {
    const isRoot =
      start.type === 'Identifier' || start.type === 'MetaProperty' || requiredBy(start) !== undefined;
    if (!isRoot || facts.nameOf(start) === undefined) continue;
    const parent = facts.parent(start);
    if (
      start.type === 'Identifier' &&
      start.name === 'require' &&
      parent !== undefined &&
      requiredBy(parent) !== undefined
    )
      continue;
    let node = start;
    let name = facts.nameOf(start) ?? '';
    for (let at = parent; at !== undefined; at = facts.parent(at)) {
      if (wrappedBy(at) !== undefined) {
        node = at;
        continue;
      }
      if (at.type !== 'MemberExpression' || at.object !== node || memberName(at) === undefined) break;
      node = at;
      name = `${name}.${memberName(at)}`;
    }
    if (isDeclaration(node, facts)) continue;
    used.push({
      node: node === start || LOCATIONS.has(facts.nameOf(start) ?? '') ? start : node,
      name,
      use: useOf(node, facts),
    });
  }
  return used;
}

/** `const fs = require('fs')`: what uses the constant counts. `require('knex')` alone shows nothing. */
function isDeclaration(node: Node, facts: ModuleFacts): boolean {
  const parent = facts.parent(node);
  if (parent === undefined || facts.nameOfRequired(node) === undefined) return false;
  if (parent.type === 'ExpressionStatement') return true;
  if (parent.type !== 'VariableDeclarator' || parent.init !== node) return false;
  const { id } = parent;
  if (id.type === 'Identifier') return true;
  return (
    id.type === 'ObjectPattern' &&
    id.properties.every(
      (property) =>
        property.type === 'Property' && !property.computed && property.value.type === 'Identifier',
    )
  );
}

function useOf(node: Node, facts: ModuleFacts): Use {
  const parent = facts.parent(node);
  if (parent?.type === 'CallExpression' || parent?.type === 'NewExpression')
    return parent.callee === node ? 'called' : 'passed';
  if (parent?.type === 'BinaryExpression' && parent.operator === 'instanceof') return 'called';
  return parent?.type === 'UnaryExpression' && parent.operator === 'typeof' ? 'called' : 'other';
}

const GLOBALS = new Set(Object.getOwnPropertyNames(globalThis));

/** What the table of names cannot show. */
function refusedSyntax(node: Node, facts: ModuleFacts): string | undefined {
  const member = staticMember(node);
  if (member !== undefined && REFUSED_MEMBERS.has(member) && !isListedPrototype(node, facts))
    return `.${member}`;
  switch (node.type) {
    case 'WithStatement':
      return 'with';
    case 'ImportExpression':
      return node.source.type === 'Literal' && !facts.isInFunction(node) ? undefined : 'import()';
    case 'ClassDeclaration':
    case 'ClassExpression':
      return 'a class';
    case 'ThisExpression':
      return isHarmlessThis(node, facts) ? undefined : 'this';
    default:
      return undefined;
  }
}

/** `Object.prototype.hasOwnProperty`, as compilers write it. */
function isListedPrototype(node: Node, facts: ModuleFacts): boolean {
  const parent = facts.parent(node);
  return parent?.type === 'MemberExpression' && facts.nameOf(parent) === 'Object.prototype.hasOwnProperty';
}

/**
 * `this.string('name')` in a function that Knex calls. In sloppy mode `this` may be the global object, so none of
 * its names may be asked of it. At the top level, compilers write `this && this.__awaiter`.
 */
function isHarmlessThis(node: Node, facts: ModuleFacts): boolean {
  const parent = facts.parent(node);
  if (!facts.isInFunction(node))
    return parent?.type === 'LogicalExpression' || /^__\w+$/.test((parent && staticMember(parent)) ?? '');
  const member =
    parent?.type === 'MemberExpression' && parent.object === node ? memberName(parent) : undefined;
  return member !== undefined && !GLOBALS.has(member);
}

/** The name by which a node asks an object for a member, also in a pattern. */
function staticMember(node: Node): string | undefined {
  if (node.type === 'MemberExpression') return memberName(node);
  if (node.type !== 'Property') return undefined;
  const { key } = node;
  if (key.type === 'Identifier' && !node.computed) return key.name;
  return key.type === 'Literal' ? String(key.value) : undefined;
}
