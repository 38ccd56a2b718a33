import type { Knex } from 'knex';
import { messageOf } from '../../errors.ts';
import { decodeText, type UnreadableFile } from '../../text-file.ts';
import { importMigration, type MigrationModule } from './import-migration.ts';
import { invalid } from './invalid-migration.ts';
import { parseSqlMigration, type SqlMigration } from './sql-file.ts';
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

/** Loads a migration file, which runs its top level. @throws TenantctlError MIGRATION_INVALID */
export async function loadMigration(file: MigrationFile): Promise<Migration> {
  const bytes = readMigrationFile(file);
  const text = textOf(file, bytes);
  const loaded =
    file.format === 'sql' ? await parseSqlMigration(text, file.name) : await loadModule(file, text);
  return { file, ...loaded, text, checksum: checksumOf(file, bytes) };
}

/** Node itself would replace what it cannot decode. */
function textOf(file: MigrationFile, bytes: Buffer): string {
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
  const found = exportsOf(await importMigration(file, text));
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

function allowOutsideOf({ config }: MigrationModule, file: MigrationFile): readonly string[] {
  const allowed = config?.allowOutside ?? [];
  const isList =
    Array.isArray(allowed) && allowed.every((name) => typeof name === 'string' && name.trim() !== '');
  if (isList) return allowed as string[];
  throw invalid(
    file,
    'exports a config whose allowOutside is no list of names.',
    "Name what the migration reaches outside its tenant's schema: export const config = { allowOutside: ['public.countries'] }.",
  );
}

/** CommonJS arrives as the default export, sometimes one level deeper. */
function exportsOf(loaded: MigrationModule & { readonly default?: unknown }): MigrationModule {
  let candidate: (MigrationModule & { readonly default?: unknown }) | undefined = loaded;
  for (let depth = 0; depth < 3 && typeof candidate === 'object' && candidate !== null; depth += 1) {
    if (typeof candidate.up === 'function') return candidate;
    candidate = candidate.default as typeof candidate;
  }
  return loaded;
}

export type Direction = 'up' | 'down';

export function runsInTransaction(
  migration: Pick<Migration, 'upInTransaction' | 'downInTransaction'>,
  direction: Direction,
): boolean {
  return direction === 'up' ? migration.upInTransaction : migration.downInTransaction;
}
