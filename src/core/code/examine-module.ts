import type { BlockStatement, MemberExpression, Node, Property } from 'estree';
import {
  CALL_BACK,
  FIXED_MEMBERS,
  judgeName,
  LOCATIONS,
  MAKE_LISTS,
  ONCE,
  PACKAGES,
  READS,
  REFUSED_MEMBERS,
  UNSEEN_CALLS,
  type Use,
} from './allowed.ts';
import { constantPath, namesFileOnly } from './constant-path.ts';
import { examineState } from './examine-state.ts';
import { foreignName, memberName, requiredBy, type ModuleCode } from './module-code.ts';
import { lineOf } from './parse-code.ts';
import type { Finding } from './verdict.ts';

/** What one module uses of the world, and what of other files. */
export interface ModuleReport {
  readonly findings: readonly Finding[];
  /** Relative imports. */
  readonly imports: readonly string[];
  /** Absolute paths of the files that it reads. */
  readonly reads: readonly string[];
}

/** Examines one module by itself. @param file its absolute path */
export function examineModule(code: ModuleCode, file: string): ModuleReport {
  const imports: string[] = [];
  const reads: string[] = [];
  const findings: Finding[] = [];
  const found = (node: Node, text: string, kind: Finding['kind'] = 'varying') =>
    findings.push({ kind, text: `${text} in line ${lineOf(node)}` });
  for (const node of code.nodes) {
    const specifier = importOf(node);
    if (specifier !== undefined && foreignName(specifier) === undefined) imports.push(specifier);
    else if (specifier !== undefined && !mayImport(specifier, node)) found(node, `imports ${specifier}`);
    const refused = refusedSyntax(node, code);
    if (refused !== undefined) found(node, `uses ${refused}`);
    const member = memberAsked(node, code) ?? '';
    if (FIXED_MEMBERS.has(member)) found(node, `uses .${member}`, 'fixed');
    if (node.type === 'CallExpression' && READS.has(code.nameOf(node.callee) ?? '')) {
      const path = node.arguments[0] && constantPath(node.arguments[0], file, code);
      if (path === undefined) found(node, 'reads a file whose name is not a constant');
      else reads.push(path);
    }
    const name = outermostName(node, code);
    if (name === undefined) continue;
    const use = useOf(node, code);
    const isOnce = use === 'called' && ONCE.has(name) && code.functionOf(node) === undefined;
    const kind = isOnce ? 'fixed' : judgeName(name, use);
    const isFile = READS.has(name) ? use === 'called' : isPartOfPath(node, name, code);
    if (kind !== 'pure' && !isFile) found(node, `uses ${name.replace(/^\w+:/, '')}`, kind);
  }
  examineState(code, found);
  return { findings, imports, reads };
}

function importOf(node: Node): string | undefined {
  if (!/^(?:Import|Export)\w*Declaration$/.test(node.type)) return requiredBy(node);
  const value = (node as { readonly source?: { readonly value?: unknown } | null }).source?.value;
  return typeof value === 'string' ? value : undefined;
}

/** Node's own modules and some packages are judged by what is used of them; of Knex, only types may be. */
function mayImport(specifier: string, node: Node): boolean {
  const [name = ''] = specifier.split('/');
  const isListed =
    specifier === 'knex' || PACKAGES.includes(name) || foreignName(specifier)?.startsWith('node:') === true;
  return isListed && !node.type.startsWith('Export');
}

/** The name of a global or of a part of another module, with all members that are asked of it. */
function outermostName(node: Node, code: ModuleCode): string | undefined {
  const name = code.nameOf(node);
  const parent = code.parent(node);
  if (parent === undefined || code.nameOf(parent) !== undefined) return undefined;
  if (name === 'require' && requiredBy(parent) !== undefined) return undefined;
  // `const fs = require('fs')`: what is used of the constant counts.
  const isDeclaration = parent.type === 'VariableDeclarator' && requiredBy(node) !== undefined;
  return isDeclaration && code.namesDeclared(parent) ? undefined : name;
}

function useOf(node: Node, code: ModuleCode): Use {
  const parent = code.parent(node);
  if (parent?.type === 'CallExpression') return parent.callee === node ? 'called' : 'passed';
  if (parent?.type === 'NewExpression') {
    if (parent.callee !== node) return 'passed';
    return parent.arguments[0] && parent.arguments[0].type !== 'SpreadElement' ? 'constructed' : 'called';
  }
  return parent?.type === 'BinaryExpression' && parent.operator === 'instanceof' ? 'called' : 'other';
}

function isPartOfPath(node: Node, name: string, code: ModuleCode): boolean {
  const call = code.parent(node);
  if (name === 'node:path.resolve') return call?.type === 'CallExpression' && namesFileOnly(call, code);
  return LOCATIONS.has(name) && namesFileOnly(node, code);
}

/** What the table of names cannot show. */
function refusedSyntax(node: Node, code: ModuleCode): string | undefined {
  const member = memberAsked(node, code) ?? '';
  if (REFUSED_MEMBERS.has(member) && !isHarmlessMember(node, code)) return `.${member}`;
  switch (node.type) {
    case 'WithStatement':
      return 'with';
    case 'ImportExpression':
      return 'import()';
    case 'ClassDeclaration':
    case 'ClassExpression':
      return 'a class';
    case 'ThisExpression':
      return isHarmlessThis(node, code) ? undefined : 'this';
    case 'Property': {
      const key = keyOf(node) ?? '';
      const isMade = code.parent(node)?.type === 'ObjectExpression';
      const isRefused = node.kind !== 'init' || UNSEEN_CALLS.has(key) || isOwnMethod(node, key, code);
      return isMade && isRefused ? `${node.kind} ${key}` : undefined;
    }
    case 'Identifier': {
      const variable = code.variable(node);
      if (variable === undefined) return undefined;
      const isShadowing = node.name === 'require' || (node.name === 'arguments' && code.isOfModule(variable));
      return isShadowing ? node.name : undefined;
    }
    default:
      return undefined;
  }
}

/** `console.error(error.stack)`; `Object.prototype.hasOwnProperty.call(row, 'name')` */
function isHarmlessMember(node: Node, code: ModuleCode): boolean {
  const parent = code.parent(node);
  if (parent === undefined) return false;
  if (parent.type === 'TemplateLiteral') return isHarmlessMember(parent, code);
  if (parent.type === 'CallExpression')
    return parent.callee !== node && code.nameOf(parent.callee)?.startsWith('console.') === true;
  return /^Object\.prototype\.(?:hasOwnProperty|toString)$/.test(code.nameOf(parent) ?? '');
}

/** A function that is called like a method of lists, but may return or keep what it is given. */
function isOwnMethod(property: Property, key: string, code: ModuleCode): boolean {
  if (!CALL_BACK.has(key) && !MAKE_LISTS.has(key)) return false;
  const object = code.parent(property);
  const holder = object && code.parent(object);
  // Of a module, such a function is not taken for one of a list.
  if (holder?.type === 'ExportDefaultDeclaration') return false;
  if (holder?.type === 'AssignmentExpression' && code.nameOf(holder.left) === 'module.exports') return false;
  const [definition] = code.variable(property.value)?.defs ?? [];
  const value = definition?.type === 'Variable' ? (definition.node.init ?? property.value) : property.value;
  return /Function/.test(value.type) || /^(?:FunctionName|ImportBinding)$/.test(definition?.type ?? '');
}

/**
 * `this.string('name')` in a function that Knex calls. In sloppy mode `this` may be the global object, so none of
 * its names may be called. After such a call it is known to be another object, and may be handed on.
 */
function isHarmlessThis(node: Node, code: ModuleCode): boolean {
  const parent = code.parent(node);
  if (parent?.type === 'CallExpression' && parent.callee !== node) return isAfterItsCall(node, code);
  return parent?.type === 'MemberExpression' && callsThis(parent, code);
}

function callsThis(member: MemberExpression, code: ModuleCode): boolean {
  const name = memberName(member);
  const call = code.parent(member);
  const isCalled = call?.type === 'CallExpression' && call.callee === member;
  return isCalled && name !== undefined && !(name in globalThis) && code.functionOf(member) !== undefined;
}

/** Whether the function has called `this.on(...)` before, on which it would have failed. */
function isAfterItsCall(node: Node, code: ModuleCode): boolean {
  const within = code.functionOf(node);
  if (within === undefined || !('body' in within) || within.type === 'ArrowFunctionExpression') return false;
  return (within.body as BlockStatement).body.some((statement) => {
    const call = statement.type === 'ExpressionStatement' ? statement.expression : undefined;
    if (call?.type !== 'CallExpression' || call.callee.type !== 'MemberExpression') return false;
    const isOfThis = call.callee.object.type === 'ThisExpression' && callsThis(call.callee, code);
    return isOfThis && (call.range?.[1] ?? Infinity) <= (node.range?.[0] ?? 0);
  });
}

/** The name by which a node asks an object for a member, also in a pattern. */
function memberAsked(node: Node, code: ModuleCode): string | undefined {
  if (node.type === 'MemberExpression') return memberName(node);
  if (node.type !== 'Property' || code.parent(node)?.type !== 'ObjectPattern') return undefined;
  return keyOf(node);
}

function keyOf({ key, computed }: Property): string | undefined {
  if (key.type === 'Identifier' && !computed) return key.name;
  return key.type === 'Literal' ? String(key.value) : undefined;
}
