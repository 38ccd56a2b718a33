import type { Variable } from 'eslint-scope';
import type { Node } from 'estree';
import { CHANGES } from './allowed.ts';
import { isFunction, memberName, requiredBy, wrappedBy, type ModuleFacts } from './module-facts.ts';
import { lineOf } from './parse-code.ts';

/**
 * How a module could remember one tenant while it serves the next. Each is where it was first seen. What a module
 * does at its top level counts for nothing: it happens once, and always alike.
 */
export interface State {
  /** A name of the module, a global or an import is changed within a function. */
  readonly changes?: string;
  /** An object is changed that its function has not made itself: harmless unless it is the module's. */
  readonly changesUnknown?: string;
  /** An object of the module is handed on within a function. */
  readonly handsOn?: string;
  /** A function of the project is called at the top level: what it returns may remember. */
  readonly makes?: string;
  /** A function changes what belongs to the function around it. */
  readonly remembers?: string;
}

export function examineState(facts: ModuleFacts): State {
  const state: { -readonly [key in keyof State]: State[key] } = {};
  const note = (key: keyof State, node: Node, text: string) => {
    state[key] ??= `${text} in line ${lineOf(node)}`;
  };
  for (const reference of facts.references) {
    const node = reference.identifier as Node;
    const variable = reference.resolved;
    if (reference.isWrite() && reference.init !== true) {
      if (variable === null) note('changes', node, `changes the global ${reference.identifier.name}`);
      else if (facts.isOfModule(variable) && facts.isInFunction(node))
        note('changes', node, `changes ${variable.name}, which the next tenant finds changed,`);
      else if (variable.scope.variableScope !== reference.from.variableScope)
        note('remembers', node, `changes ${variable.name}`);
    }
    if (variable !== null && reference.isRead() && facts.isInFunction(node) && handsOn(node, variable, facts))
      note('handsOn', node, `hands on ${variable.name}`);
  }
  for (const node of facts.nodes) {
    const isInFunction = facts.isInFunction(node);
    if (!isInFunction && callsProject(node, facts)) note('makes', node, 'calls a function');
    if (!isInFunction && makesIterator(node, facts)) note('changes', node, 'keeps an iterator');
    if ('generator' in node && node.generator === true) note('remembers', node, 'has a generator');
    for (const target of changedBy(node, facts)) {
      const { root, depth } = rootOf(target);
      const variable = facts.variable(root);
      const name = root.type === 'Identifier' ? root.name : 'an object';
      if (facts.nameOf(root) !== undefined && !(/^(?:module|exports)$/.test(name) && !isInFunction))
        note('changes', node, `changes ${name}`);
      else if (!isInFunction) continue;
      else if (variable !== undefined && facts.isOfModule(variable))
        note('changes', node, `changes ${name}, which the next tenant finds changed,`);
      else if (!isFresh(root, depth, facts)) {
        note('changesUnknown', node, `changes ${name}`);
        note('remembers', node, `changes ${name}`);
      }
    }
  }
  return state;
}

/** The objects of which a node changes a member. */
function changedBy(node: Node, facts: ModuleFacts): Node[] {
  switch (node.type) {
    case 'AssignmentExpression':
      return membersOf(node.left);
    case 'UpdateExpression':
      return membersOf(node.argument);
    case 'UnaryExpression':
      return node.operator === 'delete' ? membersOf(node.argument) : [];
    case 'ForInStatement':
    case 'ForOfStatement':
      return membersOf(node.left);
    case 'CallExpression': {
      const { callee } = node;
      const [first] = node.arguments;
      if (/^Object\.(?:assign|defineProperty|freeze)$/.test(facts.nameOf(callee) ?? ''))
        return first === undefined ? [] : [first];
      if (callee.type !== 'MemberExpression') return [];
      const method = memberName(callee);
      // A method whose name is computed may be any.
      return method === undefined || CHANGES.has(method) ? [callee.object] : [];
    }
    default:
      return [];
  }
}

function membersOf(target: Node): Node[] {
  const wrapped = wrappedBy(target);
  if (wrapped !== undefined) return membersOf(wrapped);
  switch (target.type) {
    case 'MemberExpression':
      return [target.object];
    case 'ObjectPattern':
      return target.properties.flatMap((each) =>
        membersOf(each.type === 'Property' ? each.value : each.argument),
      );
    case 'ArrayPattern':
      return target.elements.flatMap((each) => (each === null ? [] : membersOf(each)));
    case 'AssignmentPattern':
      return membersOf(target.left);
    case 'RestElement':
      return membersOf(target.argument);
    default:
      return [];
  }
}

/** The expression at the beginning of a chain of members and method calls, and the length of the chain. */
function rootOf(node: Node): { readonly root: Node; readonly depth: number } {
  let root = node;
  for (let depth = 0; ; depth += 1) {
    const wrapped = wrappedBy(root);
    if (wrapped !== undefined) root = wrapped;
    else if (root.type === 'MemberExpression') root = root.object;
    else if (root.type === 'AwaitExpression') root = root.argument;
    else if (
      root.type === 'CallExpression' &&
      requiredBy(root) === undefined &&
      root.callee.type === 'MemberExpression'
    )
      root = root.callee.object;
    else return { root, depth };
  }
}

/** Whether an object was certainly made by the function that changes it. */
function isFresh(root: Node, depth: number, facts: ModuleFacts): boolean {
  if (isMade(root) || isAnswer(root, facts)) return true;
  const variable = facts.variable(root);
  if (variable === undefined) return false;
  const values = valuesOf(variable);
  if (values === undefined || functionOf(root, facts) !== functionOf(values[0] ?? root, facts)) return false;
  return values.every((value) => {
    const { root: source } = rootOf(value);
    return (isMade(value) && depth === 0) || isAnswer(source, facts);
  });
}

/** All that a variable is ever set to; undefined for a parameter and the like. */
function valuesOf(variable: Variable): Node[] | undefined {
  const values: Node[] = [];
  for (const { type, node } of variable.defs) {
    if (type !== 'Variable' || node.type !== 'VariableDeclarator' || node.id.type !== 'Identifier')
      return undefined;
  }
  for (const reference of variable.references) {
    if (!reference.isWrite()) continue;
    if (!reference.writeExpr || reference.partial === true) return undefined;
    values.push(reference.writeExpr);
  }
  return values.length > 0 ? values : undefined;
}

function isMade({ type }: Node): boolean {
  return /^(?:ObjectExpression|ArrayExpression|NewExpression|TemplateLiteral|Literal)$/.test(type);
}

/** `knex('users')`, or any call of what the function was handed: Knex makes each builder and each answer anew. */
function isAnswer(node: Node, facts: ModuleFacts): boolean {
  if (node.type !== 'CallExpression' || node.callee.type !== 'Identifier') return false;
  return facts.variable(node.callee)?.defs[0]?.type === 'Parameter';
}

function functionOf(node: Node, facts: ModuleFacts): Node | undefined {
  for (let at = facts.parent(node); at !== undefined; at = facts.parent(at)) if (isFunction(at)) return at;
  return undefined;
}

/** Whether an object of the module may get another name here. */
function handsOn(node: Node, variable: Variable, facts: ModuleFacts): boolean {
  if (!facts.isOfModule(variable) || facts.nameOf(node) !== undefined) return false;
  const [definition] = variable.defs;
  const declarator = definition?.node as Node | undefined;
  const value = declarator?.type === 'VariableDeclarator' ? declarator.init : undefined;
  if (value && isPrimitive(value)) return false;
  let at = facts.parent(node);
  if (at?.type === 'CallExpression' && at.callee === node) return false;
  let use = node;
  while (at?.type === 'MemberExpression' && at.object === use) {
    use = at;
    at = facts.parent(at);
  }
  // A function of another module, or a question that no object of the list leaves by.
  if (at?.type !== 'CallExpression' || at.callee !== use || use.type !== 'MemberExpression') return true;
  const isImport = definition?.type === 'ImportBinding' || (value && requiredBy(value) !== undefined);
  return (
    isImport !== true && !/^(?:join|includes|indexOf|has|test|exec|toString)$/.test(memberName(use) ?? '')
  );
}

function isPrimitive(node: Node): boolean {
  const wrapped = wrappedBy(node);
  if (wrapped !== undefined) return isPrimitive(wrapped);
  if (node.type === 'Literal') return !('regex' in node && /[gy]/.test(node.regex.flags));
  if (node.type === 'ArrayExpression') return false;
  if (node.type === 'CallExpression')
    return (
      node.callee.type === 'MemberExpression' &&
      /^(?:join|trim|toString|replace|replaceAll|toUpperCase|toLowerCase|readFileSync|resolve|dirname|fileURLToPath)$/.test(
        memberName(node.callee) ?? '',
      )
    );
  return /^(?:TemplateLiteral|BinaryExpression|UnaryExpression)$/.test(node.type);
}

/** Methods by which the top level calls nothing of the project, except the functions that it passes on the spot. */
const BUILT_IN =
  /^(?:map|filter|forEach|reduce|flatMap|flat|some|every|find|sort|concat|slice|splice|join|split|trim|replace|replaceAll|toString|includes|keys|values|entries|push|set|add|get|has|padStart|padEnd|repeat|toLowerCase|toUpperCase|bind|then|catch)$/;

function callsProject(node: Node, facts: ModuleFacts): boolean {
  if (
    node.type !== 'CallExpression' &&
    node.type !== 'NewExpression' &&
    node.type !== 'TaggedTemplateExpression'
  )
    return false;
  const callee = node.type === 'TaggedTemplateExpression' ? node.tag : node.callee;
  if (requiredBy(node) !== undefined || facts.nameOf(callee) !== undefined) return false;
  return !(callee.type === 'MemberExpression' && BUILT_IN.test(memberName(callee) ?? ''));
}

/** An iterator that outlives the top level gives each of its values once only. */
function makesIterator(node: Node, facts: ModuleFacts): boolean {
  if (node.type !== 'CallExpression' || node.callee.type !== 'MemberExpression') return false;
  const method = memberName(node.callee);
  const isIterator = method === undefined || /^(?:keys|values|entries|matchAll)$/.test(method);
  return isIterator && facts.nameOf(node.callee) === undefined;
}
