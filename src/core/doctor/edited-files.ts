import type { Database } from '../../db/database.ts';
import { conjugated, listed, shellWord } from '../../wording.ts';
import { readRecordedFiles } from '../state/checksums.ts';
import { readStateVersion } from '../state/version.ts';
import { ok, warning, type CheckTable, type Verdict } from './check.ts';
import type { FolderFacts } from './folders.ts';

export interface EditFacts {
  /** Files that were edited after tenantctl had applied them. */
  readonly edited: readonly string[];
}

export const EDITS: CheckTable<EditFacts> = { 'edited-files': ['Edited migrations', editedFiles] };

export async function readEditFacts(
  database: Database,
  folders: { readonly master: FolderFacts; readonly tenants: FolderFacts } | undefined,
): Promise<EditFacts> {
  const edited: string[] = [];
  if ((await readStateVersion(database)) === 0) return { edited };
  for (const scope of ['master', 'tenants'] as const) {
    const recorded = await readRecordedFiles(database, scope, folders?.[scope].facts?.files ?? []);
    edited.push(...recorded.filter(({ isEdited }) => isEdited).map(({ file }) => file.name));
  }
  return { edited };
}

function editedFiles({ edited }: EditFacts): Verdict {
  if (edited.length === 0) return ok('no file was edited after it was applied');
  return warning(
    `${listed(edited)} ${conjugated('was', edited.length)} edited after being applied: the edit is not in the database`,
    `Write a new migration for the edit. If it changes nothing, accept it: tenantctl history accept ${edited.map(shellWord).join(' ')}`,
  );
}
