import type { Knex } from 'knex';
import { messageOf } from '../../errors.ts';
import { decodeText, type UnreadableFile } from '../../text-file.ts';
import { importMigration } from './import-migration.ts';
import { invalid } from './invalid-migration.ts';
import { loadSeed } from './load-seed.ts';
import { allowOutsideOf, exportsOf } from './module-exports.ts';
import { parseSqlMigration, type SqlMigration } from './sql-file.ts';
import { parseScript } from './repeatable.ts';
import { checksumOf, readMigrationFile, type MigrationFile } from './source.ts';

/** One direction of a migration: SQL, or a function that gets Knex. */
type MigrationAction = string | ((knex: Knex) => unknown);

export interface Migration extends Omit<SqlMigration, 'up' | 'down'> {
  readonly file: MigrationFile;
  readonly up: MigrationAction;
  readonly down: MigrationAction | undefined;
  /** The file's text, as it was when it was loaded. */
  readonly text: string;
  /** The checksum of that text: see checksumOf. */
  readonly checksum: string;
}

/** Loads a migration or a seed, which runs its top level. @throws TenantctlError MIGRATION_INVALID, SEED_INVALID */
export async function loadMigration(file: MigrationFile): Promise<Migration> {
  const bytes = readMigrationFile(file);
  const text = decodedText(file, bytes);
  return { file, ...(await parse(file, text)), text, checksum: checksumOf(file, bytes) };
}

function parse(file: MigrationFile, text: string): Promise<Omit<Migration, 'file' | 'text' | 'checksum'>> {
  if (file.script !== undefined) return parseScript(text, file.name);
  if (file.kind === 'seed') return loadSeed(file, text);
  return file.format === 'sql' ? parseSqlMigration(text, file.name) : loadModule(file, text);
}

/** Node itself would replace what it cannot decode. @throws TenantctlError MIGRATION_INVALID */
export function decodedText(file: MigrationFile, bytes: Buffer): string {
  try {
    return decodeText(bytes);
  } catch (cause) {
    const { line } = cause as UnreadableFile;
    const at = line === undefined ? undefined : `${file.name}:${line}`;
    throw invalid(file, `${messageOf(cause)}.`, ENCODING, { at, cause });
  }
}

const ENCODING =
  'Nothing has been changed. An editor can save the file as UTF-8; so can iconv, for instance: iconv -f WINDOWS-1252 -t UTF-8.';

async function loadModule(
  file: MigrationFile,
  text: string,
): Promise<Omit<Migration, 'file' | 'text' | 'checksum'>> {
  const found = exportsOf(await importMigration(file, text), 'up');
  if (typeof found.up !== 'function') {
    throw invalid(
      file,
      'exports no function "up".',
      'A migration exports two functions, up and down, that are handed Knex: see `tenantctl make tenant <name>`.',
    );
  }
  const down = found.down ?? undefined;
  if (down !== undefined && typeof down !== 'function')
    throw invalid(file, 'exports a "down" that is no function.');
  const inTransaction = found.config?.transaction !== false;
  return {
    up: found.up as MigrationAction,
    down: down as MigrationAction | undefined,
    upInTransaction: inTransaction,
    downInTransaction: inTransaction,
    allowOutside: allowOutsideOf(found, file),
    allowUnparsed: found.config?.allowUnparsed === true,
  };
}

export type Direction = 'up' | 'down';

export function runsInTransaction(
  migration: Pick<Migration, 'upInTransaction' | 'downInTransaction'>,
  direction: Direction,
): boolean {
  return direction === 'up' ? migration.upInTransaction : migration.downInTransaction;
}
