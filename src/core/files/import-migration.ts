import { dirname } from 'node:path';
import type * as Jiti from 'jiti';
import type { TenantctlError } from '../../errors.ts';
import { importModule } from '../../import-module.ts';
import { importTypeScript } from './import-typescript.ts';
import { invalid } from './invalid-migration.ts';
import { isError } from '../../is-error.ts';
import { packageType } from './package-type.ts';
import { placeOf } from './source-place.ts';
import type { MigrationFile } from './source.ts';

export interface MigrationModule {
  readonly up?: unknown;
  readonly down?: unknown;
  readonly seed?: unknown;
  readonly config?: {
    readonly transaction?: unknown;
    readonly allowOutside?: unknown;
    readonly allowUnparsed?: unknown;
  };
}

/**
 * Runs the top level of a migration in JavaScript or TypeScript. Node imports it; jiti loads what Node cannot, as tsx
 * and ts-node do.
 * @throws TenantctlError MIGRATION_INVALID
 */
export async function importMigration(file: MigrationFile, text: string): Promise<MigrationModule> {
  const isTypeScript = /\.[mc]?ts$/.test(file.name);
  const needsJiti =
    isTypeScript &&
    (MAY_NEED_JITI_LATER.test(text) || (IMPORTS_DEFAULT.test(text) && (await isCommonJs(file))));
  try {
    if (!needsJiti)
      return (await (isTypeScript
        ? importTypeScript(file.path, text)
        : importModule(file.path))) as MigrationModule;
  } catch (error) {
    if (!(isTypeScript ? isBeyondTypeStripping(error) : isUnresolved(error)))
      throw broken(file, error, await placeOfSyntaxError(file, error));
  }
  try {
    return await importByJiti(file);
  } catch (error) {
    throw broken(file, error);
  }
}

/** By its extension or its package. Node goes by the syntax where the package has no type; tsx and ts-node do not. */
async function isCommonJs({ name, path }: MigrationFile): Promise<boolean> {
  return (
    /\.c[jt]s$/.test(name) || (!/\.m[jt]s$/.test(name) && (await packageType(dirname(path))) === 'commonjs')
  );
}

/** What fails only when `up` runs: Node has these names in CommonJS alone, and resolves imports in its own way. */
const MAY_NEED_JITI_LATER = /\b(?:__dirname|__filename|require|import\s*\()/;

/** A default import. From a package that a compiler wrote, `require` takes `exports.default`, and Node `exports`. */
const IMPORTS_DEFAULT = /^\s*import\s+(?!type\b)[\w$]+\s*(?:,|from\b)/m;

async function importByJiti(file: MigrationFile): Promise<MigrationModule> {
  const { path } = file;
  const interopDefault = await isCommonJs(file);
  const { createJiti } = (await importModule('jiti')) as typeof Jiti;
  // No disk cache: a migration is loaded once.
  const create = (tsconfigPaths: boolean) =>
    createJiti(path, { fsCache: false, interopDefault, tsconfigPaths });
  let jiti: Jiti.Jiti;
  try {
    jiti = create(true);
  } catch {
    // The tsconfig.json extends one that is not installed here, as in a container without devDependencies.
    jiti = create(false);
  }
  if (!interopDefault) return jiti.import(path);
  try {
    return jiti(path) as MigrationModule;
  } catch (error) {
    // An await at the top level, which Node accepts in a package without type.
    if (isError(error) && error.name === 'SyntaxError') return jiti.import(path);
    throw error;
  }
}

const UNRESOLVED =
  /^(?:MODULE_NOT_FOUND|ERR_(?:MODULE_NOT_FOUND|UNSUPPORTED_DIR_IMPORT|IMPORT_ATTRIBUTE_MISSING))$/;

/** An import of a folder, without extension, of JSON, or by an alias of tsconfig.json. */
function isUnresolved(error: unknown): boolean {
  return isError(error) && UNRESOLVED.test((error as NodeJS.ErrnoException).code ?? '');
}

const NEEDS_MORE =
  /^ERR_(?:UNSUPPORTED_TYPESCRIPT_SYNTAX|INVALID_TYPESCRIPT_SYNTAX|UNKNOWN_FILE_EXTENSION|REQUIRE_ESM|REQUIRE_CYCLE_MODULE|UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING|AMBIGUOUS_MODULE_SYNTAX)$/;

/**
 * Whether a TypeScript file needs more than type stripping
 * (https://nodejs.org/api/typescript.html#type-stripping): syntax that emits code, imports that Node does not
 * resolve, a type imported as a value, CommonJS mixed with ES modules.
 */
function isBeyondTypeStripping(error: unknown): boolean {
  if (!isError(error)) return false;
  const { name, message, code = '' } = error as NodeJS.ErrnoException;
  return (
    isUnresolved(error) ||
    NEEDS_MORE.test(code) ||
    name === 'SyntaxError' ||
    (name === 'ReferenceError' && /^(exports|module) is not defined/.test(message))
  );
}

function broken(file: MigrationFile, error: unknown, at = placeOf(error, file.path)): TenantctlError {
  // After the first line, loaders print the position and the require stack.
  const message = (isError(error) ? error.message : String(error))
    .replace(/\n(Require stack:|\s*\S+:\d+:\d+$)[\s\S]*$/, '')
    .trim();
  return invalid(file, `cannot be loaded: ${message}`, hintFor(file, message), { at, cause: error });
}

/** Node tells nobody where an ES module has its syntax error; jiti does. */
async function placeOfSyntaxError(file: MigrationFile, error: unknown): Promise<string | undefined> {
  const place = placeOf(error, file.path);
  if (place !== undefined || !isError(error) || error.name !== 'SyntaxError') return place;
  return importByJiti(file).then(
    () => undefined,
    (same: unknown) => placeOf(same, file.path),
  );
}

function hintFor(file: MigrationFile, message: string): string {
  if (/^(exports|module|require) is not defined/.test(message))
    return 'The file is CommonJS in a package of ES modules: write export async function up, or name it .cjs.';
  if (/^(Unexpected token 'export'|Cannot use import statement)/.test(message))
    return 'The file is an ES module in a package of CommonJS: write exports.up, or name it .mjs. The history accepts the new name.';
  if (/Cannot find (module|package)/i.test(message))
    return 'Install what it imports, or correct the path. Aliases are read from "paths" of the nearest tsconfig.json, not of those that it references.';
  return `Correct ${file.name} and run the command again; nothing has been changed.`;
}
