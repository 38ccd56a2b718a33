import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Node } from 'estree';
import { LOCATIONS } from './allowed.ts';
import type { ModuleFacts } from './module-facts.ts';

const PATHS: Readonly<Record<string, (this: void, ...parts: [string, ...string[]]) => string>> = {
  'node:path.join': join,
  'node:path.dirname': dirname,
  'node:path.basename': basename,
  'node:path.resolve': resolve,
  'node:url.fileURLToPath': (url) => fileURLToPath(url),
};

/**
 * Works out the name of a file from literals, constants and the module's own place.
 * @param used collects the nodes that it read
 * @returns undefined if it depends on anything else
 */
export function constantOf(
  node: Node,
  file: string,
  facts: ModuleFacts,
  used: Set<Node>,
  depth = 0,
): string | undefined {
  // Two constants may name each other.
  if (depth > 50) return undefined;
  const valueOf = (part: Node) => constantOf(part, file, facts, used, depth + 1);
  const name = facts.nameOf(node);
  if (name !== undefined && LOCATIONS.has(name)) {
    used.add(node);
    if (name.endsWith('dirname')) return dirname(file);
    return name === 'import.meta.url' ? pathToFileURL(file).href : file;
  }
  switch (node.type) {
    case 'Literal':
      return typeof node.value === 'string' || typeof node.value === 'number'
        ? String(node.value)
        : undefined;
    case 'TemplateLiteral':
      return joined(
        node.quasis.flatMap((quasi, index) => {
          const expression = node.expressions[index];
          return [quasi.value.cooked ?? undefined, expression === undefined ? '' : valueOf(expression)];
        }),
      );
    case 'BinaryExpression':
      return node.operator === '+' && node.left.type !== 'PrivateIdentifier'
        ? joined([valueOf(node.left), valueOf(node.right)])
        : undefined;
    case 'Identifier': {
      used.add(node);
      const definitions = facts.variable(node)?.defs ?? [];
      const { parent, node: declarator } = definitions[0] ?? {};
      if (definitions.length !== 1 || declarator?.type !== 'VariableDeclarator') return undefined;
      const isConstant = parent?.type === 'VariableDeclaration' && parent.kind === 'const';
      if (!isConstant || declarator.id.type !== 'Identifier' || !declarator.init) return undefined;
      return valueOf(declarator.init);
    }
    case 'NewExpression':
      return facts.nameOf(node.callee) === 'URL' || facts.nameOf(node.callee) === 'node:url.URL'
        ? urlOf(node.arguments.map(valueOf))
        : undefined;
    case 'CallExpression': {
      const path = PATHS[facts.nameOf(node.callee) ?? ''];
      const [first, ...others] = node.arguments.map(valueOf);
      if (path === undefined || first === undefined || !others.every((part) => part !== undefined))
        return undefined;
      const parts = [first, ...others] as const;
      // Without an absolute part, it depends on the directory of the process.
      return path !== resolve || parts.some(isAbsolute) ? path(...parts) : undefined;
    }
    default:
      return undefined;
  }
}

function joined(parts: readonly (string | undefined)[]): string | undefined {
  return parts.every((part) => part !== undefined) ? parts.join('') : undefined;
}

function urlOf([url, base]: readonly (string | undefined)[]): string | undefined {
  return url !== undefined && base?.startsWith('file:') === true ? new URL(url, base).href : undefined;
}
