import { withServer } from '../server/server.ts';
import type { FolderSettings } from '../settings.ts';
import { FolderUnusable, readFolderProject } from './folder-project.ts';
import { folderMarkdown, folderRow } from './folder-table.ts';
import type { FolderBench } from './folder-stage.ts';
import { measureFolder } from './measure-folder.ts';

/**
 * Measures a project's own migrations and prints the table.
 * @returns the exit code: 1 if tenantctl leaves something else than plain Knex, 2 if the folder is unusable; and
 *   the folder's row in a table of several
 */
export async function runFolder(
  { path, sizes, ...options }: FolderSettings,
  terminal: Pick<FolderBench, 'hasPsql' | 'say'>,
): Promise<{ readonly exitCode: number; readonly row?: readonly string[] }> {
  const { say } = terminal;
  try {
    const project = await readFolderProject(path, options);
    const result = await withServer((server) => measureFolder({ server, sizes, ...terminal }, project));
    console.log(folderMarkdown(project, result));
    for (const note of result.notes) say(note);
    for (const difference of result.differences) say(`✖ ${difference}`);
    return { exitCode: result.differences.length > 0 ? 1 : 0, row: folderRow(project, result) };
  } catch (error) {
    if (!(error instanceof FolderUnusable)) throw error;
    say(`✖ ${error.message}`);
    return { exitCode: 2 };
  }
}
