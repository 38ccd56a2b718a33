import type { Node } from 'estree';
import { CHANGES } from './allowed.ts';
import { memberName, type ModuleCode } from './module-code.ts';
import { isAccumulator, isNew, runOf, runOfVariable } from './own-object.ts';
import { wrappedBy } from './parse-code.ts';
import { keepsPosition } from './position.ts';

/**
 * Finds how a module could remember one tenant while it serves the next. The top level runs once, and always alike, so
 * it may change the module's own objects; a function may change what it has made itself, also in callbacks.
 * @param found called with a reason, such as "changes count"
 */
export function examineState(code: ModuleCode, found: (node: Node, reason: string) => void): void {
  for (const [node, reference] of code.references) {
    const { identifier, resolved: variable } = reference;
    if (!reference.isWrite() || reference.init === true) continue;
    // A function that is called at the top level may keep its variables for all tenants.
    if (variable === null || runOfVariable(variable, code) !== runOf(node, code))
      found(node, `changes ${identifier.name}`);
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
      if (method === 'call' || method === 'apply') return args.slice(0, 1);
      if (method !== undefined && CALLS_WITH_THIS.test(method)) return args.slice(1, 2);
      // What is bound may be called by the next tenant.
      if (method === 'bind') return mayChange(callee.object) ? [callee.object] : [];
      // Without an argument, it is Knex's.
      if (method === 'delete' && args.length === 0) return [];
      return mayChange(callee) ? [callee.object] : [];
    }
    default:
      return [];
  }
}

/** Methods whose second argument is `this` for the first one, which may change it: `rows.forEach(add, set)`. */
const CALLS_WITH_THIS = /^(?:forEach|map|flatMap|filter|some|every|find(?:Last)?(?:Index)?)$/;

/** Whether a function may change its `this`, by its name. A computed name may be any; so may a variable. */
function mayChange(callee: Node): boolean {
  const method = callee.type === 'MemberExpression' ? memberName(callee) : undefined;
  return method === undefined || CHANGES.has(method) || SETS.test(method);
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

/** Whether an object was made in the run of a function that changes it, so that nobody else knows it. */
function isOwn(object: Node, code: ModuleCode): boolean {
  if (isNew(object, code)) return true;
  const run = runOf(object, code);
  if (run === undefined && /^(?:exports|module(?:\.exports)?)$/.test(code.nameOf(object) ?? '')) return true;
  const variable = code.variable(object);
  if (variable === undefined) return false;
  if (isAccumulator(variable, code)) return runOfVariable(variable, code) === run;
  const writes = variable.references.filter((reference) => reference.isWrite());
  return (
    writes.length > 0 &&
    variable.defs.every(({ type, node }) => type === 'Variable' && node.id.type === 'Identifier') &&
    writes.every(
      ({ identifier, writeExpr, partial }) =>
        partial !== true && writeExpr && isNew(writeExpr, code) && runOf(identifier as Node, code) === run,
    )
  );
}
