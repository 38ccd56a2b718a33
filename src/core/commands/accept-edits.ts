import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import { listed } from '../../wording.ts';
import { findMigration } from '../files/find-migration.ts';
import { readMigrationFolder, type MigrationFile } from '../files/source.ts';
import { prepareState, readState } from '../install/state-schema.ts';
import { checkCall } from '../options/check-call.ts';
import { silent, type Observer } from '../report/event.ts';
import { acceptFiles, readRecordedFiles, type RecordedFile } from '../state/checksums.ts';

export interface AcceptEditsOptions {
  /** Names or paths of migration files, with or without extension. */
  readonly names: readonly string[];
  /** The folders to look in: one of them, or both. A name that is in both means both files. */
  readonly masterFolder?: string | undefined;
  readonly tenantFolder?: string | undefined;
  readonly observe?: Observer | undefined;
}

export interface AcceptedEdit {
  readonly scope: 'master' | 'tenants';
  readonly name: string;
  /** `unchanged`: the file is as it was applied, or its edit was accepted before. */
  readonly outcome: 'accepted' | 'unchanged';
}

/**
 * Accepts that applied migration files were edited: records their checksums as they are now, so that runs no
 * longer warn of them, until they are edited again. Histories and schemas are not changed.
 * @throws TenantctlError MIGRATION_UNKNOWN; NOTHING_TO_ACCEPT if a file is not recorded as applied; then no
 *   edit is accepted
 */
export async function acceptEdits(database: Database, given: AcceptEditsOptions): Promise<AcceptedEdit[]> {
  const options = checkCall(database, given, 'names');
  const named = await filesNamed(options);
  const state = await readState(database);
  const recorded: RecordedFile[] = [];
  if (state.version > 0) {
    await prepareState(database, state, options.observe ?? silent);
    for (const { scope, files } of named) recorded.push(...(await readRecordedFiles(database, scope, files)));
  }
  const stems = new Set(recorded.map(({ file }) => file.stem));
  const unknown = named.flatMap(({ files }) => files).filter(({ stem }) => !stems.has(stem));
  if (unknown.length > 0) throw nothingToAccept([...new Set(unknown.map(({ name }) => name))]);
  const edited = recorded.filter(({ isEdited }) => isEdited);
  await acceptFiles(database, edited);
  return recorded.map(({ scope, file: { name }, isEdited }) => ({
    scope,
    name,
    outcome: isEdited ? 'accepted' : 'unchanged',
  }));
}

interface NamedFiles {
  readonly scope: AcceptedEdit['scope'];
  readonly files: readonly MigrationFile[];
}

async function filesNamed({ names, masterFolder, tenantFolder }: AcceptEditsOptions): Promise<NamedFiles[]> {
  const given = { master: masterFolder, tenants: tenantFolder };
  const folders = [];
  for (const scope of ['master', 'tenants'] as const) {
    const path = given[scope];
    // Another tool may maintain the master schema: then there is no such folder.
    const isOptional = scope === 'master' && tenantFolder !== undefined;
    if (path === undefined || (isOptional && !existsSync(path))) continue;
    folders.push({ scope, ...(await readMigrationFolder(path)) });
  }
  const everywhere = {
    directory: folders.map(({ directory }) => directory).join(' or '),
    files: folders.flatMap(({ files }) => files),
  };
  const stems = new Set(names.map((name) => findMigration(everywhere, basename(name)).stem));
  return folders.map(({ scope, files }) => ({ scope, files: files.filter(({ stem }) => stems.has(stem)) }));
}

function nothingToAccept(names: readonly string[]): TenantctlError {
  return new TenantctlError(
    'NOTHING_TO_ACCEPT',
    `${listed(names)}: not recorded as applied, so an edit is not noticed. Nothing was changed.`,
    {
      migration: names[0],
      hint: 'Only files that tenantctl itself has applied are compared. A file that is still pending can be edited freely.',
    },
  );
}
