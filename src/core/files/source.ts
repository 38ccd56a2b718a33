import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { messageOf, TenantctlError } from '../../errors.ts';
import { readFileBytes } from '../../text-file.ts';
import { hasMarker } from './sql-file.ts';

/** A migration file, not yet loaded. */
export interface MigrationFile {
  /** The file name with its extension, as Knex and the history store it. */
  readonly name: string;
  /** What identifies the migration: see stemOf. */
  readonly stem: string;
  readonly path: string;
  readonly format: 'module' | 'sql';
  /** There is no file: a caller gives the SQL. */
  readonly isGiven?: boolean;
  /** A seed, or a file of hooks; else a migration. */
  readonly kind?: 'seed' | 'hook';
  /** A symbolic link leads to the file. */
  readonly isLink?: boolean;
  /** Present for a repeatable script: its file's name and checksum, as they are recorded. */
  readonly script?: { readonly name: string; readonly checksum: string } | undefined;
}

/** The migration files of one folder, in the order in which they run. */
export interface MigrationFolder {
  readonly directory: string;
  readonly files: readonly MigrationFile[];
  /** The repeatable scripts that are applied after them, in order. */
  readonly scripts?: readonly MigrationFile[] | undefined;
}

/** Also valid in PostgreSQL. */
export const EXTENSION = /\.(?:ts|mts|cts|js|mjs|cjs|sql)$/;
const NOT_A_MIGRATION = /\.d\.[mc]?ts$|^\./;

/**
 * The identity of a migration: its name without the extension. A name means the same whether its accents are
 * composed (NFC) or not (NFD): some file systems and archives change that.
 */
export function stemOf(name: string): string {
  return name.replace(EXTENSION, '').normalize();
}

/**
 * Lists a folder's migrations, sorted by file name as Knex sorts them. An empty folder is no error here. A .sql
 * file that a module reads is no migration: see withoutParts.
 * @throws TenantctlError MIGRATIONS_FOLDER_MISSING, MIGRATION_DUPLICATE, MIGRATION_INVALID
 */
export async function readMigrationFolder(path: string): Promise<MigrationFolder> {
  const hint =
    "Run tenantctl init here for a new project, or tenantctl in your project's folder, or name the folders in MASTER_MIGRATIONS_DIR and TENANT_MIGRATIONS_DIR.";
  return readFolder(path, (directory, cause) => {
    const message = `There is no migrations folder ${directory}.`;
    return new TenantctlError('MIGRATIONS_FOLDER_MISSING', message, { hint, cause });
  });
}

/** readMigrationFolder for repeatable scripts. @throws TenantctlError as readMigrationFolder */
export async function listScripts(path: string): Promise<MigrationFolder> {
  const hint = 'Make the folder, or name the folder of the repeatable scripts in TENANT_REPEATABLE_DIR.';
  return readFolder(path, (directory, cause) => {
    const message = `There is no folder ${directory}.`;
    return new TenantctlError('MIGRATIONS_FOLDER_MISSING', message, { hint, cause });
  });
}

/** readMigrationFolder for seeds. @throws TenantctlError SEEDS_FOLDER_MISSING, and as readMigrationFolder */
export async function readSeedFolder(path: string): Promise<MigrationFolder> {
  const { directory, files } = await readFolder(path, (missing, cause) => {
    const hint =
      "Make the first seed: tenantctl make seed <name>. Or run tenantctl in your project's folder, or name the folder in TENANT_SEEDS_DIR.";
    return new TenantctlError('SEEDS_FOLDER_MISSING', `There is no folder ${missing}.`, { hint, cause });
  });
  return { directory, files: files.map((file) => ({ ...file, kind: 'seed' })) };
}

async function readFolder(
  path: string,
  missing: (directory: string, cause: unknown) => TenantctlError,
): Promise<MigrationFolder> {
  const directory = resolve(path);
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
    throw missing(directory, error);
  });
  const found: MigrationFile[] = [];
  for (const entry of entries) {
    if (entry.isDirectory() || !EXTENSION.test(entry.name) || NOT_A_MIGRATION.test(entry.name)) continue;
    if (entry.isFile() || (await isLinkToFile(join(directory, entry.name))))
      found.push({ ...describe(directory, entry.name), ...(!entry.isFile() && { isLink: true }) });
  }
  const files = withoutParts(found).sort((a, b) => compareNames(a.name, b.name));
  refuseDuplicates(directory, files);
  return { directory, files };
}

/** @throws TenantctlError MIGRATION_INVALID for a broken link, and for a pipe, which would block */
async function isLinkToFile(path: string): Promise<boolean> {
  const facts = await stat(path).catch(() => undefined);
  if (facts?.isFile() === true) return true;
  if (facts?.isDirectory() === true) return false;
  throw new TenantctlError(
    'MIGRATION_INVALID',
    `${path} is ${facts === undefined ? 'a link that leads nowhere' : 'no file'}, and has the name of a migration.`,
    { migration: basename(path), hint: 'Delete it, or put the file in its place.' },
  );
}

/** @throws TenantctlError MIGRATION_INVALID for a name that is unsafe in a history or on a terminal */
function describe(directory: string, name: string): MigrationFile {
  if (/[\p{Cc}\uFFFD]/u.test(name)) {
    const message = `The name of a migration in ${directory} contains a control character or is not UTF-8: ${JSON.stringify(name)}.`;
    throw new TenantctlError('MIGRATION_INVALID', message, { hint: 'Give the file another name.' });
  }
  const format = name.endsWith('.sql') ? 'sql' : 'module';
  return { name, stem: stemOf(name), path: join(directory, name), format };
}

/**
 * Leaves out .sql files that belong to a module: without a "-- migrate:up" line, and with a name that continues
 * a module's (1_users.js, 1_users.up.sql) or stands in a module's text.
 */
function withoutParts(files: readonly MigrationFile[]): MigrationFile[] {
  const modules = files.filter(({ format }) => format === 'module');
  let texts: readonly string[] | undefined;
  return files.filter((file) => {
    if (file.format === 'module' || modules.length === 0 || hasMarker(textOf(file))) return true;
    const continues = ({ stem }: MigrationFile) =>
      file.stem === stem || (file.stem.startsWith(stem) && /^[._-]/.test(file.stem.slice(stem.length)));
    if (modules.some(continues)) return false;
    texts ??= modules.map(textOf);
    return !texts.some((text) => text.includes(file.name));
  });
}

/** readMigrationFile as text, with a third of the system calls. @throws TenantctlError MIGRATION_INVALID */
export function textOf(file: MigrationFile): string {
  try {
    return readFileSync(file.path, 'utf8');
  } catch {
    return readMigrationFile(file).toString('utf8');
  }
}

/** @throws TenantctlError MIGRATION_INVALID */
export function readMigrationFile({ path, name }: MigrationFile): Buffer {
  try {
    return readFileBytes(path, { maxMiB: Infinity });
  } catch (cause) {
    throw new TenantctlError('MIGRATION_INVALID', `${name} ${messageOf(cause)}.`, {
      migration: name,
      hint: 'Was the folder changed while the command ran? Restore the file, or correct it, and run the command again.',
      cause,
    });
  }
}

/** Orders by code unit, independent of the locale. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function refuseDuplicates(directory: string, files: readonly MigrationFile[]): void {
  const seen = new Map<string, string>();
  for (const file of files) {
    const other = seen.get(file.stem);
    if (other !== undefined)
      throw new TenantctlError(
        'MIGRATION_DUPLICATE',
        `${other} and ${file.name} in ${directory} are the same migration: their names differ by the extension or by the Unicode form of an accent only.`,
        { hint: 'Delete one of the two files.', migration: file.name },
      );
    seen.set(file.stem, file.name);
  }
}

/** SHA-256 of a file in hexadecimal, with normalized line endings: Git may change them. */
export function checksumOf(file: MigrationFile, bytes?: Buffer): string {
  const text = (bytes?.toString('utf8') ?? textOf(file)).replaceAll('\r\n', '\n');
  return hash('sha256', text);
}
