import type { MemberExpression, Node } from 'estree';
import { CHANGES, MAKES_NEW } from './allowed.ts';
import { memberName, type ModuleCode } from './module-code.ts';
import { lineOf, wrappedBy } from './parse-code.ts';

/**
 * How a module could remember one tenant while it serves the next. What a module does at its top level counts for
 * nothing: it happens once, and always alike.
 */
export interface State {
  /** What outlives a call is changed in it, or may be: "changes count in line 3". */
  readonly changes?: string;
  /** A function changes a variable of the function around it: harmless, unless the outer one ran at the top level. */
  readonly remembers?: string;
  /** A function runs at the top level. What it returns may remember. */
  readonly runs?: string;
}

export function examineState(code: ModuleCode): State {
  const state: { -readonly [key in keyof State]: State[key] } = {};
  const note = (key: keyof State, node: Node, text: string) => {
    state[key] ??= `${text} in line ${lineOf(node)}`;
  };
  for (const [node, reference] of code.references) {
    const { identifier, resolved: variable } = reference;
    if (!reference.isWrite() || reference.init === true) continue;
    if (variable === null || (code.isOfModule(variable) && code.functionOf(node) !== undefined))
      note('changes', node, `changes ${identifier.name}`);
    else if (variable.scope.variableScope !== reference.from.variableScope)
      note('remembers', node, `changes ${variable.name}`);
  }
  for (const node of code.nodes) {
    const isInFunction = code.functionOf(node) !== undefined;
    if ('generator' in node && node.generator === true) note('remembers', node, 'has a generator');
    if (isUsedUp(node, code))
      note(isInFunction ? 'remembers' : 'changes', node, 'keeps an iterator or position');
    if (!isInFunction && runsFunction(node, code)) note('runs', node, 'runs a function');
    for (const target of changedBy(node, code)) {
      const owner = ownerOf(target, code);
      if (owner === 'another function') note('remembers', node, 'changes an object');
      else if (owner === 'unknown') note('changes', node, 'changes an object that it has not made');
    }
  }
  return state;
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
      // A name that is computed may be any.
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
  if (!CHANGES.has(memberName(node) ?? '')) return false;
  const parent = code.parent(node);
  return parent?.type === 'CallExpression' ? parent.callee !== node : parent?.type === 'MemberExpression';
}

/** Of maps and of dates. Knex has `setNullable`. */
const SETS = /^set(?:$|(?:UTC)?(?:FullYear|Month|Date|Hours|Minutes|Seconds|Milliseconds|Time)$)/;

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

/** Who has made an object that is changed. */
function ownerOf(object: Node, code: ModuleCode): 'itself' | 'another function' | 'unknown' {
  const within = code.functionOf(object);
  if (isNew(object, code)) return 'itself';
  if (within === undefined && /^(?:exports|module(?:\.exports)?)$/.test(code.nameOf(object) ?? ''))
    return 'itself';
  const variable = code.variable(object);
  if (variable === undefined || (code.isOfModule(variable) && within !== undefined)) return 'unknown';
  if (variable.defs.some(({ type }) => type === 'FunctionName'))
    return within === undefined ? 'itself' : 'unknown';
  const writes = variable.references.filter((reference) => reference.isWrite());
  const isMade =
    writes.length > 0 &&
    variable.defs.every(({ type, node }) => type === 'Variable' && node.id.type === 'Identifier') &&
    writes.every(({ writeExpr, partial }) => partial !== true && writeExpr && isNew(writeExpr, code));
  if (!isMade) return 'unknown';
  return writes.every(({ identifier }) => code.functionOf(identifier as Node) === within)
    ? 'itself'
    : 'another function';
}

/** Whether an expression is an object that nobody else knows. */
function isNew(node: Node, code: ModuleCode): boolean {
  const wrapped = wrappedBy(node);
  if (wrapped !== undefined) return isNew(wrapped, code);
  if (/^(?:Object|Array|New)Expression$|Literal$/.test(node.type)) return true;
  if (node.type !== 'CallExpression') return false;
  const name = code.nameOf(node.callee);
  if (name !== undefined)
    return /^(?:Object\.(?!assign|freeze|defineProperty)|Array\.|JSON\.|Array$)/.test(name);
  return node.callee.type === 'MemberExpression' && MAKES_NEW.has(memberName(node.callee) ?? '');
}

/** An iterator, or a regular expression that goes on where it stopped, unless it is used on the spot. */
function isUsedUp(node: Node, code: ModuleCode): boolean {
  if (node.type === 'Literal' && 'regex' in node) {
    const parent = code.parent(node);
    const method =
      parent?.type === 'CallExpression' &&
      parent.callee.type === 'MemberExpression' &&
      memberName(parent.callee);
    return /[gy]/.test(node.regex.flags) && !/^(?:replace|replaceAll|match|split|search)$/.test(method || '');
  }
  if (node.type === 'NewExpression' && code.nameOf(node.callee) === 'RegExp')
    return node.arguments.length > 1;
  if (node.type !== 'CallExpression' || node.callee.type !== 'MemberExpression') return false;
  const method = memberName(node.callee) ?? '';
  return /^(?:keys|values|entries|matchAll)$/.test(method) && code.nameOf(node.callee) === undefined;
}

/** Methods of arrays and texts. */
const BUILT_IN =
  /^(?:forEach|reduce|some|every|find|join|toString|includes|pad\w+|repeat|to(?:Upper|Lower)Case)$/;

function runsFunction(node: Node, code: ModuleCode): boolean {
  if (node.type === 'TaggedTemplateExpression') return code.nameOf(node.tag) === undefined;
  if (node.type !== 'CallExpression' && node.type !== 'NewExpression') return false;
  if (node.arguments.some(({ type }) => /Function|Identifier/.test(type))) return true;
  const { callee } = node;
  if (code.nameOf(callee) !== undefined) return false;
  const method = callee.type === 'MemberExpression' ? (memberName(callee) ?? '') : '';
  return !(BUILT_IN.test(method) || MAKES_NEW.has(method) || CHANGES.has(method));
}
