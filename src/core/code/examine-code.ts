import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { messageOf } from '../../errors.ts';
import type { MigrationFile } from '../files/source.ts';
import type { CodeDigests, CodeFile } from './code-files.ts';
import { examineModule } from './examine-module.ts';
import { ModuleCode } from './module-code.ts';
import { parseCode } from './parse-code.ts';
import { resolveImport } from './resolve-import.ts';
import type { CodeVerdict, Finding } from './verdict.ts';

/**
 * Examines the code of a migration: the file, what it imports from the project, and which files it reads. Nothing of
 * it is run. See docs/decisions/0035-what-code-may-be-replayed.md.
 */
export async function examineCode(file: MigrationFile, digests: CodeDigests): Promise<CodeVerdict> {
  try {
    const path = realpathSync(file.path);
    const graph = new ModuleGraph(dirname(path), digests);
    if (file.format === 'sql') graph.add(path);
    else await graph.examine(path);
    return graph.verdict(dirname(file.path));
  } catch (error) {
    // A folder may be emptied during a run, whose migrations are loaded.
    const reason = `${file.name} cannot be examined: ${messageOf(error)}`;
    return { kind: 'varying', reason, files: [] };
  }
}

/** From the worst to the mildest. */
const KINDS: readonly Finding['kind'][] = ['varying', 'changed', 'fixed'];

/** The modules that are reached from one migration. */
class ModuleGraph {
  readonly #folder: string;
  readonly #digests: CodeDigests;
  readonly #files = new Map<string, CodeFile>();
  readonly #findings: Finding[] = [];

  constructor(folder: string, digests: CodeDigests) {
    this.#folder = folder;
    this.#digests = digests;
  }

  /** Adds a file as it is now. */
  add(path: string): void {
    this.#describe(path);
    const changed = statSync(path, { throwIfNoEntry: false })?.ctimeMs ?? 0;
    if (changed >= this.#digests.loadedSince)
      this.#found(path, 'changed', 'was changed after this process had started');
  }

  async examine(path: string): Promise<void> {
    if (this.#files.has(path)) return;
    this.add(path);
    if (path.endsWith('.json')) return;
    this.#describePackages(path);
    const parsed = await parseCode(readFileSync(path, 'utf8'), path.endsWith('ts')).catch(
      (error: unknown) => {
        this.#found(path, 'varying', `cannot be examined: ${messageOf(error)}`);
      },
    );
    if (parsed === undefined) return;
    const { findings, imports, reads } = examineModule(new ModuleCode(parsed), path);
    for (const { kind, text } of findings) this.#found(path, kind, text);
    for (const read of reads) this.add(read);
    for (const specifier of imports) await this.#import(specifier, path);
  }

  async #import(specifier: string, from: string): Promise<void> {
    const { files, listed } = resolveImport(specifier, from);
    for (const stem of listed) this.#describe(`${stem}.*`);
    if (files.length === 0) this.#found(from, 'varying', `imports ${specifier}, which cannot be resolved`);
    for (const file of files) await this.examine(file);
  }

  /** The nearest package.json says what kind of module a file is. One that is nearer may be added. */
  #describePackages(path: string): void {
    for (let at = dirname(path); ; at = dirname(at)) {
      this.#describe(join(at, 'package.json#type'));
      if (existsSync(join(at, 'package.json')) || at === dirname(at)) return;
    }
  }

  #describe(path: string): void {
    if (!this.#files.has(path)) this.#files.set(path, this.#digests.describe(path, this.#folder));
  }

  #found(path: string, kind: Finding['kind'], text: string): void {
    this.#findings.push({ kind, text: `${relative(this.#folder, path).replaceAll(sep, '/')} ${text}` });
  }

  /** @param linked the migration's folder as it was named. Loaders disagree whether links are resolved. */
  verdict(linked: string): CodeVerdict {
    for (const path of this.#files.keys()) {
      const same = join(linked, relative(this.#folder, path));
      if (existsSync(path) && !(existsSync(same) && realpathSync(same) === path))
        this.#found(path, 'varying', 'is reached through a symbolic link');
    }
    const [worst] = this.#findings.toSorted((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind));
    const files = [...this.#files.values()];
    return worst === undefined ? { kind: 'pure', files } : { kind: worst.kind, reason: worst.text, files };
  }
}
