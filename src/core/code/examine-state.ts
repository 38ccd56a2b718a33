import type { MemberExpression, Node } from 'estree';
import { CHANGES } from './allowed.ts';
import { memberName, type ModuleCode } from './module-code.ts';
import { wrappedBy } from './parse-code.ts';

/**
 * Finds how a module could remember one tenant while it serves the next. The top level runs once, and always alike, so
 * it may change the module's own objects; a function may change what it has made itself.
 * @param found called with a reason, such as "changes count"
 */
export function examineState(code: ModuleCode, found: (node: Node, reason: string) => void): void {
  for (const [node, reference] of code.references) {
    const { identifier, resolved: variable, from } = reference;
    if (!reference.isWrite() || reference.init === true) continue;
    // A function that is called at the top level may keep its variables for all tenants.
    if (variable?.scope.variableScope !== from.variableScope) found(node, `changes ${identifier.name}`);
  }
  for (const node of code.nodes) {
    if ('generator' in node && node.generator === true) found(node, 'has a generator');
    if (keepsPosition(node, code)) found(node, 'keeps an iterator or position');
    if (changedBy(node, code).some((object) => !isOwn(object, code)))
      found(node, 'changes an object that it has not made');
  }
}

/** The objects of which a node changes a member. */
function changedBy(node: Node, code: ModuleCode): Node[] {
  switch (node.type) {
    case 'AssignmentExpression':
    case 'ForInStatement':
    case 'ForOfStatement':
      return objectsIn(node.left);
    case 'UpdateExpression':
      return objectsIn(node.argument);
    case 'UnaryExpression':
      return node.operator === 'delete' ? objectsIn(node.argument) : [];
    case 'CallExpression': {
      const { callee, arguments: args } = node;
      const name = code.nameOf(callee);
      if (name !== undefined) return /^Object\.(?:assign|defineProperty)$/.test(name) ? args.slice(0, 1) : [];
      if (callee.type !== 'MemberExpression') return [];
      const method = memberName(callee);
      // Without an argument, it is Knex's.
      if (method === 'delete' && args.length === 0) return [];
      // A computed name may be any.
      return method === undefined || CHANGES.has(method) || SETS.test(method) ? [callee.object] : [];
    }
    case 'MemberExpression':
      return isHandedOn(node, code) ? [node] : [];
    default:
      return [];
  }
}

/** A method that changes its object, and is not called here: `[].push.apply(list, rows)`, `forEach(set.add, set)`. */
function isHandedOn(node: MemberExpression, code: ModuleCode): boolean {
  const method = memberName(node) ?? '';
  if (!CHANGES.has(method) && !SETS.test(method)) return false;
  const parent = code.parent(node);
  return parent?.type === 'CallExpression' ? parent.callee !== node : parent?.type === 'MemberExpression';
}

/** Of maps, dates and bytes. Knex has `setNullable`. */
const SETS =
  /^(?:set(?:(?:UTC)?(?:FullYear|Month|Date|Hours|Minutes|Seconds|Milliseconds|Time))?|write\w+|swap\d+)$/;

/** The objects whose members a target of an assignment names. */
function objectsIn(target: Node): Node[] {
  const wrapped = wrappedBy(target);
  if (wrapped !== undefined) return objectsIn(wrapped);
  switch (target.type) {
    case 'MemberExpression':
      return [target.object];
    case 'ObjectPattern':
      return target.properties.flatMap((each) =>
        objectsIn(each.type === 'Property' ? each.value : each.argument),
      );
    case 'ArrayPattern':
      return target.elements.flatMap((each) => (each === null ? [] : objectsIn(each)));
    case 'AssignmentPattern':
      return objectsIn(target.left);
    case 'RestElement':
      return objectsIn(target.argument);
    default:
      return [];
  }
}

/** Whether an object was made by the function that changes it, so that nobody else knows it. */
function isOwn(object: Node, code: ModuleCode): boolean {
  const within = code.functionOf(object);
  if (isNew(object, code)) return true;
  if (within === undefined && /^(?:exports|module(?:\.exports)?)$/.test(code.nameOf(object) ?? ''))
    return true;
  const variable = code.variable(object);
  if (variable === undefined) return false;
  const writes = variable.references.filter((reference) => reference.isWrite());
  return (
    writes.length > 0 &&
    variable.defs.every(({ type, node }) => type === 'Variable' && node.id.type === 'Identifier') &&
    writes.every(
      ({ identifier, writeExpr, partial }) =>
        partial !== true &&
        writeExpr &&
        isNew(writeExpr, code) &&
        code.functionOf(identifier as Node) === within,
    )
  );
}

/** Whether an expression makes an object. */
function isNew(node: Node, code: ModuleCode): boolean {
  const wrapped = wrappedBy(node);
  if (wrapped !== undefined) return isNew(wrapped, code);
  // A function of the project may return the same object each time.
  if (node.type === 'NewExpression') return code.nameOf(node.callee) !== undefined;
  return /^(?:Object|Array)Expression$|Literal$/.test(node.type);
}

/** An iterator, or a regular expression that goes on where it stopped, unless it is used on the spot. */
function keepsPosition(node: Node, code: ModuleCode): boolean {
  if (node.type === 'Literal' && 'regex' in node) {
    const parent = code.parent(node);
    const method =
      parent?.type === 'CallExpression' &&
      parent.callee.type === 'MemberExpression' &&
      memberName(parent.callee);
    return /[gy]/.test(node.regex.flags) && !/^(?:replace|replaceAll|match|split|search)$/.test(method || '');
  }
  if (node.type !== 'CallExpression' && node.type !== 'NewExpression') return false;
  if (code.nameOf(node.callee) === 'RegExp')
    return node.arguments.length > 1 || node.arguments[0]?.type === 'SpreadElement';
  if (node.callee.type !== 'MemberExpression') return false;
  const method = memberName(node.callee) ?? '';
  return /^(?:keys|values|entries|matchAll)$/.test(method) && code.nameOf(node.callee) === undefined;
}
