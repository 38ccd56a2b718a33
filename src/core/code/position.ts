import type { Node } from 'estree';
import { isExported } from './constant-path.ts';
import { memberName, type ModuleCode } from './module-code.ts';
import { runOf } from './own-object.ts';

/** Methods of a text that neither use nor leave the position of a regular expression. */
const WITHOUT_POSITION = /^(?:replace|replaceAll|match|matchAll|split|search)$/;

/** An iterator, or a regular expression that goes on where it stopped, unless it is used on the spot. */
export function keepsPosition(node: Node, code: ModuleCode): boolean {
  if (node.type === 'Literal' && 'regex' in node)
    return (
      /[gy]/.test(node.regex.flags) &&
      !isUsedAtOnce(node, code) &&
      !isHarmlessConstant(node, node.regex.flags, code)
    );
  if (node.type !== 'CallExpression' && node.type !== 'NewExpression') return false;
  if (code.nameOf(node.callee) === 'RegExp')
    return node.arguments.length > 1 || node.arguments[0]?.type === 'SpreadElement';
  if (node.callee.type !== 'MemberExpression') return false;
  const method = memberName(node.callee) ?? '';
  const makesIterator = /^(?:keys|values|entries|matchAll)$/.test(method);
  return makesIterator && code.nameOf(node.callee) === undefined && !isReadAtOnce(node, code);
}

/** `text.replace(/a/g, '')` */
function isUsedAtOnce(node: Node, code: ModuleCode): boolean {
  const parent = code.parent(node);
  if (parent?.type !== 'CallExpression' || parent.arguments[0] !== node) return false;
  return parent.callee.type === 'MemberExpression' && WITHOUT_POSITION.test(memberName(parent.callee) ?? '');
}

/** A constant of which the position is not used, or only in the run that makes it. */
function isHarmlessConstant(node: Node, flags: string, code: ModuleCode): boolean {
  const parent = code.parent(node);
  if (parent?.type !== 'VariableDeclarator' || parent.id.type !== 'Identifier') return false;
  if (isExported(parent, code)) return false;
  const uses = code.declaredBy(parent)?.references.filter((reference) => reference.isRead()) ?? [];
  return uses.every(({ identifier }) => {
    const use = identifier as Node;
    // Only with this flag do they begin at the start of the text.
    const isAtOnce = isUsedAtOnce(use, code);
    if (isAtOnce && flags.includes('g')) return true;
    const isInRun = code.functionOf(node) !== undefined && runOf(use, code) === runOf(node, code);
    return isInRun && (isAtOnce || isStep(use, code));
  });
}

/** `pattern.exec(text)` */
function isStep(node: Node, code: ModuleCode): boolean {
  const member = code.parent(node);
  if (member?.type !== 'MemberExpression' || member.object !== node) return false;
  return code.parent(member)?.type === 'CallExpression' && /^(?:exec|test)$/.test(memberName(member) ?? '');
}

/** `for (const [name] of map.entries())`, `[...map.values()]`, `Array.from(map.keys())` */
function isReadAtOnce(node: Node, code: ModuleCode): boolean {
  const parent = code.parent(node);
  switch (parent?.type) {
    case 'ForOfStatement':
      return parent.right === node;
    case 'SpreadElement':
      return true;
    case 'CallExpression':
    case 'NewExpression':
      return (
        parent.arguments[0] === node &&
        /^(?:Array\.from|Object\.fromEntries|Map|Set)$/.test(code.nameOf(parent.callee) ?? '')
      );
    default:
      return false;
  }
}
