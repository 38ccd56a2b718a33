import type { Observer } from '../report/event.ts';
import { stemOf, checksumOf, type MigrationFile, type MigrationFolder } from '../files/source.ts';
import type { Database } from '../../db/database.ts';

type Scope = 'master' | 'tenants';

/** Warns of files that were edited after being applied. A changed extension (.js to .ts) is not compared. */
export async function warnOfEditedFiles(
  database: Database,
  scope: Scope,
  folder: MigrationFolder,
  observe: Observer,
): Promise<void> {
  const { rows } = await database.query<{ file_name: string; checksum: string }>(
    'SELECT file_name, checksum FROM tenantctl.migration_files WHERE scope = $1',
    [scope],
  );
  const recorded = new Map(rows.map((row) => [row.file_name, row.checksum]));
  const edited: string[] = [];
  for (const file of folder.files) {
    const checksum = recorded.get(file.name);
    if (checksum !== undefined && checksum !== (await checksumOf(file))) edited.push(file.name);
  }
  if (edited.length === 0) return;
  const were = edited.length === 1 ? 'it was' : 'they were';
  const message = `Edited after ${were} applied: ${edited.join(', ')}. The edit is not applied; write a new migration for it.`;
  observe({ type: 'warning', message });
}

/** Records the checksums of files that are applied for the first time. */
export async function recordFiles(
  database: Database,
  scope: Scope,
  files: readonly MigrationFile[],
): Promise<void> {
  if (files.length === 0) return;
  const checksums = await Promise.all(files.map(checksumOf));
  await database.query(
    `INSERT INTO tenantctl.migration_files (scope, stem, file_name, checksum)
     SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[])
     ON CONFLICT (scope, stem) DO NOTHING`,
    [scope, files.map((file) => file.stem), files.map((file) => file.name), checksums],
  );
}

/** Forgets files that are no longer in any history: an undone migration may be edited. */
export async function forgetFiles(database: Database, scope: Scope, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  await database.query('DELETE FROM tenantctl.migration_files WHERE scope = $1 AND stem = ANY ($2)', [
    scope,
    names.map(stemOf),
  ]);
}
