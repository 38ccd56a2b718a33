import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { mixedMigrations } from '../fleet/mixed-migrations.ts';
import { readFolderProject } from '../folder/folder-project.ts';
import { folderMarkdown } from '../folder/folder-table.ts';
import { measureFolder } from '../folder/measure-folder.ts';
import type { Finding } from '../report/finding.ts';
import type { PartResult } from '../report/report.ts';

/** Migrations in the proportions of real projects, as `--folder` measures a project's own. */
export async function measureMix({ settings, server, hasPsql, say }: Bench): Promise<PartResult> {
  const { files, tenants, existing } = settings.mix;
  const findings: Finding[] = [];
  const notes: string[] = [];
  for (const count of files) {
    const folder = await mkdtemp(join(tmpdir(), 'tenantctl-bench-'));
    try {
      const path = join(folder, 'migrations');
      await mkdir(path);
      await writeFile(join(folder, 'package.json'), '{"type":"commonjs"}\n');
      for (const { file, text } of mixedMigrations(count)) await writeFile(join(path, file), text);
      const project = await readFolderProject(path, {});
      const sizes = { tenants, existing, rounds: settings.rounds };
      const result = await measureFolder({ server, sizes, hasPsql, say }, project);
      for (const line of [...result.differences, ...result.notes]) say(line);
      notes.push(folderMarkdown(project, result, `A mix of ${count} migrations`));
      findings.push({
        what: `a mix of ${count} migrations: differences from what plain Knex leaves`,
        value: result.differences.length,
        unit: '',
        bar: { kind: 'at most', limit: 0 },
        isCount: true,
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  return { measurements: [], findings, notes };
}
