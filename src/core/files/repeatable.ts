import { resolve } from 'node:path';
import type { MigrationFile, MigrationFolder } from './source.ts';
import { checksumOf, listScripts } from './source.ts';
import { SCRIPT_PREFIX } from './script-name.ts';
import { hasMarker, NEVER_UNDONE, parseSqlMigration, type SqlMigration } from './sql-file.ts';
import { TenantctlError } from '../../errors.ts';

/** What a tenant should have of scripts. Pure. */
export function scriptsOf({ scripts = [] }: Pick<MigrationFolder, 'scripts'>) {
  return scripts.flatMap(({ script }) => script ?? []);
}

/** The folder with the scripts that are applied after its migrations. @param scripts none if absent */
export async function withScriptsOf(
  folder: MigrationFolder,
  scripts: string | undefined,
): Promise<MigrationFolder> {
  return scripts === undefined ? folder : { ...folder, scripts: await readScriptFolder(scripts) };
}

/** The repeatable scripts of a folder as files of it. @throws TenantctlError as readMigrationFolder */
export async function readRepeatableFolder(path: string): Promise<MigrationFolder> {
  return { directory: resolve(path), files: await readScriptFolder(path) };
}

/**
 * Lists a folder's repeatable scripts, in the order in which they are applied.
 * @throws TenantctlError as readMigrationFolder; MIGRATION_INVALID for a file of code
 */
async function readScriptFolder(path: string): Promise<MigrationFile[]> {
  const { files } = await listScripts(path);
  return files.map((file) => {
    if (file.format !== 'sql')
      throw invalid(file.name, 'it is code', 'Write it in SQL. What needs code belongs in a migration.');
    const script = { name: file.name, checksum: checksumOf(file) };
    return { ...file, name: `${SCRIPT_PREFIX}${file.name}`, stem: `${SCRIPT_PREFIX}${file.stem}`, script };
  });
}

/**
 * The whole file is its SQL. A line "-- migrate:up" may stand before it, for the option `allow-outside`.
 * @throws TenantctlError MIGRATION_INVALID
 */
export async function parseScript(text: string, name: string): Promise<SqlMigration> {
  if (!hasMarker(text)) return { ...NEVER_UNDONE, up: text, lines: { up: 1, down: 1 } };
  const parsed = await parseSqlMigration(text, name);
  if (parsed.down !== undefined)
    throw invalid(name, 'it has a "-- migrate:down" line', 'A script is never undone: remove that part.');
  if (!parsed.upInTransaction)
    throw invalid(
      name,
      'it has transaction:false',
      'Scripts are applied in the transaction of the migrations. What needs none belongs in a migration.',
    );
  return parsed;
}

function invalid(name: string, reason: string, hint: string): TenantctlError {
  return new TenantctlError('MIGRATION_INVALID', `${name} is not a valid repeatable script: ${reason}.`, {
    migration: name,
    hint,
  });
}
