import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { INIT_SQL } from './init-sql.ts';

export interface TestProject {
  readonly folder: string;
  readonly master: string;
  readonly tenants: string;
  write(path: string, text: string): Promise<void>;
  remove(path: string): Promise<void>;
}

/** Creates a project with these files, removed when the test ends. Paths are relative to its folder. */
export async function createProject(files: Readonly<Record<string, string>> = {}): Promise<TestProject> {
  const project = await createStandingProject(files);
  onTestFinished(() => rm(project.folder, { recursive: true, force: true }));
  return project;
}

/** The same for a beforeAll: the caller removes the folder. */
export async function createStandingProject(files: Readonly<Record<string, string>>): Promise<TestProject> {
  const folder = await mkdtemp(join(tmpdir(), 'tenantctl-project-'));
  const project: TestProject = {
    folder,
    master: join(folder, 'migrations/master'),
    tenants: join(folder, 'migrations/tenants'),
    async write(path, text) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    },
    remove: (path) => rm(join(folder, path), { recursive: true }),
  };
  await mkdir(project.master, { recursive: true });
  await mkdir(project.tenants, { recursive: true });
  for (const [path, text] of Object.entries(files)) await project.write(path, text);
  return project;
}

/** A tenant migration that creates a table, and drops it in its down part. */
export function createTable(name: string, columns = 'id int PRIMARY KEY'): string {
  return `-- migrate:up\nCREATE TABLE ${name} (${columns});\n-- migrate:down\nDROP TABLE ${name};\n`;
}

/** A tenant migration in JavaScript with these function bodies. */
export function knexMigration(up: string, down = '', config = ''): string {
  return `export async function up(knex) {\n${up}\n}\nexport async function down(knex) {\n${down}\n}\n${config}\n`;
}

/** The usual project: the registry, and two tenant migrations that create tables notes and tags. */
export const USUAL_FILES: Readonly<Record<string, string>> = {
  'package.json': '{"type":"module"}',
  'migrations/master/20250101000000_init_db.sql': INIT_SQL,
  'migrations/tenants/20250101000001_notes.sql': createTable('notes'),
  'migrations/tenants/20250101000002_tags.sql': createTable('tags'),
};

/** The usual project for one test, with additional or replaced files. */
export function usualProject(more: Readonly<Record<string, string>> = {}): Promise<TestProject> {
  return createProject({ ...USUAL_FILES, ...more });
}
