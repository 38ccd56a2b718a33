import type { BlockStatement, MemberExpression, Node, Property } from 'estree';
import { CALL_BACK, MAKE_LISTS, REFUSED_MEMBERS, UNSEEN_CALLS } from './allowed.ts';
import { memberName, type ModuleCode } from './module-code.ts';

/** What the table of names cannot show. */
export function refusedSyntax(node: Node, code: ModuleCode): string | undefined {
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
    case 'AssignmentExpression': {
      if (
        node.left.type !== 'MemberExpression' ||
        /^(?:module\.)?exports\.\w+$/.test(code.nameOf(node.left) ?? '')
      )
        return undefined;
      const key = memberName(node.left) ?? '';
      return isLikeOfLists(key) && isFunction(node.right, code) ? `a method ${key} of its own` : undefined;
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
  const object = code.parent(property);
  const holder = object && code.parent(object);
  // Of a module, such a function is not taken for one of a list.
  if (holder?.type === 'ExportDefaultDeclaration') return false;
  if (holder?.type === 'AssignmentExpression' && code.nameOf(holder.left) === 'module.exports') return false;
  return isLikeOfLists(key) && isFunction(property.value, code);
}

function isLikeOfLists(name: string): boolean {
  return CALL_BACK.has(name) || MAKE_LISTS.has(name);
}

function isFunction(node: Node, code: ModuleCode): boolean {
  const [definition] = code.variable(node)?.defs ?? [];
  const value = definition?.type === 'Variable' ? (definition.node.init ?? node) : node;
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
export function memberAsked(node: Node, code: ModuleCode): string | undefined {
  if (node.type === 'MemberExpression') return memberName(node);
  if (node.type !== 'Property' || code.parent(node)?.type !== 'ObjectPattern') return undefined;
  return keyOf(node);
}

function keyOf({ key, computed }: Property): string | undefined {
  if (key.type === 'Identifier' && !computed) return key.name;
  return key.type === 'Literal' ? String(key.value) : undefined;
}
