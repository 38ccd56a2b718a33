import { dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Node } from 'estree';
import { LOCATIONS, READS } from './allowed.ts';
import type { ModuleCode } from './module-code.ts';

const PATHS: Readonly<Record<string, (first: string, ...others: string[]) => string>> = {
  'node:path.join': join,
  // Without an absolute part, it depends on the directory of the process.
  'node:path.resolve': (...parts) => (parts.some(isAbsolute) ? resolve(...parts) : join(...parts)),
  'node:path.dirname': dirname,
  'node:url.fileURLToPath': (url) => fileURLToPath(url),
};

/**
 * Works out the absolute path of a file from literals, constants and the place of the module.
 * @param file the module's path
 * @returns undefined if it depends on anything else
 */
export function constantPath(node: Node, file: string, code: ModuleCode): string | undefined {
  const path = valueOf(node, file, code, 0);
  return path !== undefined && isAbsolute(path) ? path : undefined;
}

function valueOf(node: Node, file: string, code: ModuleCode, depth: number): string | undefined {
  // Two constants may name each other.
  if (depth > 50) return undefined;
  const value = (part: Node) => valueOf(part, file, code, depth + 1);
  const name = code.nameOf(node);
  if (name !== undefined && LOCATIONS.has(name)) {
    if (name.endsWith('dirname')) return dirname(file);
    return name.endsWith('url') ? pathToFileURL(file).href : file;
  }
  switch (node.type) {
    case 'Literal':
      return typeof node.value === 'string' ? node.value : undefined;
    case 'TemplateLiteral': {
      const expressions = [...node.expressions.map(value), ''];
      return joined(
        node.quasis.flatMap((quasi, index) => [quasi.value.cooked ?? undefined, expressions[index]]),
      );
    }
    case 'BinaryExpression':
      return node.operator === '+' ? joined([value(node.left), value(node.right)]) : undefined;
    case 'Identifier': {
      const [definition, ...others] = code.variable(node)?.defs ?? [];
      if (definition?.node.type !== 'VariableDeclarator' || others.length > 0) return undefined;
      const { id, init } = definition.node;
      const isConstant = (definition.parent as { readonly kind?: string } | null)?.kind === 'const';
      return isConstant && id.type === 'Identifier' && init ? value(init) : undefined;
    }
    case 'CallExpression': {
      const path = PATHS[code.nameOf(node.callee) ?? ''];
      const [first, ...others] = node.arguments.map(value);
      if (path === undefined || first === undefined) return undefined;
      return others.every((part) => part !== undefined) ? path(first, ...others) : undefined;
    }
    default:
      return undefined;
  }
}

function joined(parts: readonly (string | undefined)[]): string | undefined {
  return parts.every((part) => part !== undefined) ? parts.join('') : undefined;
}

/** Whether a variable is exported where it is declared. */
export function isExported(declarator: Node, code: ModuleCode): boolean {
  const declaration = code.parent(declarator);
  return declaration !== undefined && code.parent(declaration)?.type === 'ExportNamedDeclaration';
}

/** Whether the place of a module only serves to name a file that is read: then what the file holds is what counts. */
export function namesFileOnly(node: Node, code: ModuleCode, seen = new Set<Node>()): boolean {
  const parent = code.parent(node);
  if (parent === undefined || seen.has(node)) return false;
  seen.add(node);
  switch (parent.type) {
    case 'CallExpression': {
      const name = code.nameOf(parent.callee) ?? '';
      return (
        (READS.has(name) && parent.arguments[0] === node) ||
        (name in PATHS && namesFileOnly(parent, code, seen))
      );
    }
    case 'TemplateLiteral':
    case 'BinaryExpression':
      return namesFileOnly(parent, code, seen);
    case 'VariableDeclarator': {
      const uses = code.declaredBy(parent)?.references.filter((reference) => reference.isRead()) ?? [];
      return (
        parent.id.type === 'Identifier' &&
        !isExported(parent, code) &&
        uses.every((use) => namesFileOnly(use.identifier as Node, code, seen))
      );
    }
    default:
      return false;
  }
}
