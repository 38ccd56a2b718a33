import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, relative, sep } from 'node:path';
import { messageOf } from '../../errors.ts';
import type { MigrationFile } from '../files/source.ts';
import type { CodeDigests, CodeFile } from './code-files.ts';
import { examineModule, type Finding } from './examine-module.ts';
import type { State } from './examine-state.ts';
import { parseCode } from './parse-code.ts';
import { resolveImport } from './resolve-import.ts';

/** What can tell one run of a migration's code from another. */
export interface CodeVerdict {
  /**
   * pure: nothing but its files and what the database answers. fixed: also what stays the same while the process
   * lives. varying: anything else.
   */
  readonly kind: 'pure' | 'fixed' | 'varying';
  /** Why it is not pure: "1_users.js uses Date.now in line 3". */
  readonly reason?: string;
  /** All that the verdict rests on. */
  readonly files: readonly CodeFile[];
}

/**
 * Examines the code of a migration: the file, what it imports from the project, and what it reads from files. Runs
 * nothing of it. See docs/decisions/0035-what-code-may-be-replayed.md.
 */
export async function examineCode(file: MigrationFile, digests: CodeDigests): Promise<CodeVerdict> {
  const path = realpathSync(file.path);
  const folder = dirname(path);
  const graph = new Graph(folder, digests);
  if (file.format === 'sql') graph.add(path);
  else await graph.examine(path);
  return graph.verdict();
}

/** The modules that are reached from one migration. */
class Graph {
  readonly #folder: string;
  readonly #digests: CodeDigests;
  readonly #files = new Map<string, CodeFile>();
  readonly #findings: Finding[] = [];
  readonly #states: State[] = [];

  constructor(folder: string, digests: CodeDigests) {
    this.#folder = folder;
    this.#digests = digests;
  }

  /** Takes down what a file holds now. */
  add(path: string): void {
    this.#files.set(path, this.#digests.describe(path, this.#folder));
    const changed = statSync(path, { throwIfNoEntry: false })?.ctimeMs ?? 0;
    // Node may have loaded the file as it was before.
    if (changed >= this.#digests.loadedSince)
      this.#found(path, 'fixed', 'was changed after this process had started');
  }

  async examine(path: string): Promise<void> {
    if (this.#files.has(path)) return;
    this.add(path);
    if (path.endsWith('.json')) return;
    const code = await parseCode(readFileSync(path, 'utf8'), path.endsWith('ts')).catch((error: unknown) => {
      this.#found(path, 'varying', `cannot be examined: ${messageOf(error)}`);
    });
    if (code === undefined) return;
    const { findings, imports, reads, state } = examineModule(code, path);
    for (const { kind, text } of findings) this.#found(path, kind, text);
    this.#states.push(state);
    for (const read of reads) this.add(read);
    for (const specifier of imports) await this.#import(specifier, path);
  }

  async #import(specifier: string, from: string): Promise<void> {
    const { files, listings } = resolveImport(specifier, from);
    for (const listing of listings)
      this.#files.set(listing, this.#digests.describe(`${listing}.*`, this.#folder));
    if (files.length === 0) this.#found(from, 'varying', `imports ${specifier}, which cannot be resolved`);
    for (const file of files) {
      if (realpathSync(file) === file) await this.examine(file);
      else this.#found(from, 'varying', `imports ${specifier} through a symbolic link`);
    }
  }

  #found(path: string, kind: Finding['kind'], text: string): void {
    this.#findings.push({ kind, text: `${relative(this.#folder, path).replaceAll(sep, '/')} ${text}` });
  }

  verdict(): CodeVerdict {
    const findings = [...this.#findings, ...this.#stateFindings()];
    const worst = findings.find(({ kind }) => kind === 'varying') ?? findings[0];
    const files = [...this.#files.values()];
    return worst === undefined ? { kind: 'pure', files } : { kind: worst.kind, reason: worst.text, files };
  }

  /** Two that are harmless alone may together remember a tenant. */
  #stateFindings(): Finding[] {
    const first = (key: keyof State) => this.#states.find((state) => state[key] !== undefined)?.[key];
    const together = (one: keyof State, other: keyof State) => {
      const [a, b] = [first(one), first(other)];
      return a === undefined || b === undefined ? undefined : `${a}, and ${b}`;
    };
    return [first('changes'), together('changesUnknown', 'handsOn'), together('remembers', 'makes')]
      .filter((text) => text !== undefined)
      .map((text) => ({ kind: 'varying', text }));
  }
}
