import type { Variable } from 'eslint-scope';
import type { CallExpression, Node } from 'estree';
import { CALL_BACK, CALL_BACK_SECOND, MAKE_LISTS, MAKE_OBJECTS } from './allowed.ts';
import { memberName, type ModuleCode } from './module-code.ts';
import { wrappedBy } from './parse-code.ts';

/** A function whose body runs within the run of the function around it: `rows.forEach((row) => ...)`. */
function callsBack(callback: Node, code: ModuleCode): CallExpression | undefined {
  const call = code.parent(callback);
  if (call?.type !== 'CallExpression') return undefined;
  const methods = [CALL_BACK, CALL_BACK_SECOND].find((_, at) => call.arguments[at] === callback);
  return methods?.has(methodOf(call, code) ?? '') === true ? call : undefined;
}

/** The method that is called, unless it belongs to a global, or to a module. */
function methodOf({ callee }: CallExpression, code: ModuleCode): string | undefined {
  if (callee.type !== 'MemberExpression' || code.nameOf(callee) !== undefined) return undefined;
  return code.isModule(callee.object) ? undefined : memberName(callee);
}

/** The function in whose run a node runs; callbacks belong to it. Undefined at the top level. */
export function runOf(node: Node, code: ModuleCode): Node | undefined {
  const within = code.functionOf(node);
  return within !== undefined && callsBack(within, code) !== undefined ? runOf(within, code) : within;
}

/** The function in whose run a variable lives. Undefined for those of the module. */
export function runOfVariable(variable: Variable, code: ModuleCode): Node | undefined {
  if (code.isOfModule(variable)) return undefined;
  const block = variable.scope.variableScope.block;
  return callsBack(block, code) === undefined ? block : runOf(block, code);
}

/** Whether a variable is the object that `reduce` hands from one call to the next, made where it is called. */
export function isAccumulator({ defs, identifiers, references }: Variable, code: ModuleCode): boolean {
  const [definition, ...others] = defs;
  if (definition?.type !== 'Parameter' || others.length > 0) return false;
  const callback = definition.node;
  if (!('params' in callback) || callback.params[0] !== identifiers[0]) return false;
  const call = callsBack(callback, code);
  const start = call?.arguments[1];
  if (call === undefined || start === undefined || methodOf(call, code)?.startsWith('reduce') !== true)
    return false;
  const isSame = (node: Node) =>
    references.some(({ identifier }) => (identifier as Node) === node) || isNew(node, code);
  return (
    isNew(start, code) &&
    !references.some((reference) => reference.isWrite()) &&
    code.resultsOf(callback).every(isSame)
  );
}

/** Whether an expression makes an object. */
export function isNew(node: Node, code: ModuleCode): boolean {
  const wrapped = wrappedBy(node);
  if (wrapped !== undefined) return isNew(wrapped, code);
  switch (node.type) {
    case 'NewExpression':
      // A function of the project may return the same object each time.
      return code.nameOf(node.callee) !== undefined;
    case 'CallExpression':
      return MAKE_OBJECTS.has(code.nameOf(node.callee) ?? '') || MAKE_LISTS.has(methodOf(node, code) ?? '');
    case 'SpreadElement':
      return isListOfNew(node.argument, code);
    default:
      return /^(?:Object|Array)Expression$|Literal$/.test(node.type);
  }
}

/** `rows.map((row) => ({ ... }))` */
function isListOfNew(node: Node, code: ModuleCode): boolean {
  if (node.type !== 'CallExpression' || methodOf(node, code) !== 'map') return false;
  const [callback] = node.arguments;
  return callback?.type === 'ArrowFunctionExpression' && callback.body.type === 'ObjectExpression';
}
