import type { Node } from 'estree';
import { FIXED_MEMBERS, judgeName, LOCATIONS, ONCE, PACKAGES, READS, type Use } from './allowed.ts';
import { constantPath, namesFileOnly } from './constant-path.ts';
import { examineState } from './examine-state.ts';
import { foreignName, requiredBy, type ModuleCode } from './module-code.ts';
import { lineOf } from './parse-code.ts';
import { memberAsked, refusedSyntax } from './refused-syntax.ts';
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
