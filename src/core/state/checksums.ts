import type { Observer } from '../report/event.ts';
import type { Migration } from '../files/load.ts';
import { stemOf, checksumOf, type MigrationFile, type MigrationFolder } from '../files/source.ts';
import { shellWord } from '../../wording.ts';
import type { Database } from '../../db/database.ts';

type Scope = 'master' | 'tenants';

/** A file that was applied by tenantctl. */
export interface RecordedFile {
  readonly scope: Scope;
  readonly file: MigrationFile;
  /** The file's checksum now. */
  readonly checksum: string;
  readonly isEdited: boolean;
}

/** Those of the files that are recorded as applied. A changed extension (.js to .ts) is no edit. */
export async function readRecordedFiles(
  database: Database,
  scope: Scope,
  files: readonly MigrationFile[],
): Promise<RecordedFile[]> {
  const { rows } = await database.query<{ stem: string; file_name: string; checksum: string }>(
    'SELECT stem, file_name, checksum FROM tenantctl.migration_files WHERE scope = $1',
    [scope],
  );
  const known = new Map(rows.map((row) => [row.stem, row]));
  const recorded: RecordedFile[] = [];
  for (const file of files) {
    const row = known.get(file.stem);
    if (row === undefined) continue;
    const checksum = checksumOf(file);
    const isEdited = row.file_name === file.name && row.checksum !== checksum;
    recorded.push({ scope, file, checksum, isEdited });
  }
  return recorded;
}

/** Warns of files that were edited after being applied. */
export async function warnOfEditedFiles(
  database: Database,
  scope: Scope,
  folder: MigrationFolder,
  observe: Observer,
): Promise<void> {
  const recorded = await readRecordedFiles(database, scope, folder.files);
  const edited = recorded.filter(({ isEdited }) => isEdited).map(({ file }) => file.name);
  if (edited.length === 0) return;
  const were = edited.length === 1 ? 'it was' : 'they were';
  const accept = `tenantctl history accept ${edited.map(shellWord).join(' ')}`;
  const message = `Edited after ${were} applied: ${edited.join(', ')}. The edit is not applied; write a new migration for it. If it changes nothing, accept it: ${accept}`;
  observe({ type: 'warning', message });
}

/** Records the checksums of edited files as they are now. */
export async function acceptFiles(database: Database, edited: readonly RecordedFile[]): Promise<void> {
  if (edited.length === 0) return;
  await database.query(
    `UPDATE tenantctl.migration_files f SET checksum = e.checksum
     FROM unnest($1::text[], $2::text[], $3::text[]) e (scope, stem, checksum)
     WHERE f.scope = e.scope AND f.stem = e.stem`,
    [
      edited.map(({ scope }) => scope),
      edited.map(({ file }) => file.stem),
      edited.map(({ checksum }) => checksum),
    ],
  );
}

/** Records the checksums of files that are applied for the first time. */
export async function recordFiles(
  database: Database,
  scope: Scope,
  applied: readonly Pick<Migration, 'file' | 'checksum'>[],
): Promise<void> {
  if (applied.length === 0) return;
  await database.query(
    `INSERT INTO tenantctl.migration_files (scope, stem, file_name, checksum)
     SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[])
     ON CONFLICT (scope, stem) DO NOTHING`,
    [
      scope,
      applied.map(({ file }) => file.stem),
      applied.map(({ file }) => file.name),
      applied.map(({ checksum }) => checksum),
    ],
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
