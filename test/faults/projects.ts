import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadMigration } from '../../src/core/files/load.ts';
import { readMigrationFolder, type MigrationFile } from '../../src/core/files/source.ts';

/** The harness's migrations, in order. */
export interface Migrations {
  readonly master: readonly MigrationFile[];
  readonly tenants: readonly MigrationFile[];
  /** Number of tenant migrations before the first whose up or down runs outside a transaction. */
  readonly inside: number;
}

/** How many of the first migrations a project has. */
export interface Extent {
  readonly master: number;
  readonly tenants: number;
  /** Files besides the migrations. */
  readonly with?: 'seeds' | 'repeatable' | undefined;
}

export interface Projects {
  readonly migrations: Migrations;
  folder(extent: Extent): Promise<string>;
  /** Where the program writes backups of this database: no other one has the folder. */
  backupFolder(database: string): Promise<string>;
  readonly maskFile: string;
}

/** Reads the folders `master` and `tenants`. @throws Error if there are too few migrations */
export async function readMigrations(masterFolder: string, tenantFolder: string): Promise<Migrations> {
  const [master, tenants] = await Promise.all([
    readMigrationFolder(masterFolder),
    readMigrationFolder(tenantFolder),
  ]);
  if (master.files.length === 0) throw new Error(`There are no migrations in ${masterFolder}.`);
  if (tenants.files.length < 2) throw new Error(`There are fewer than two migrations in ${tenantFolder}.`);
  const loaded = await Promise.all(tenants.files.map(loadMigration));
  const outside = loaded.findIndex((each) => !each.upInTransaction || !each.downInTransaction);
  return {
    master: master.files,
    tenants: tenants.files,
    inside: outside === -1 ? tenants.files.length : outside,
  };
}

/** Creates folders with the first migrations while `use` runs. */
export async function withProjects<T>(
  migrations: Migrations,
  use: (projects: Projects) => Promise<T>,
): Promise<T> {
  const root = await mkdtemp(join(tmpdir(), 'tenantctl-project-'));
  const backups = join(root, 'backups');
  const maskFile = join(root, 'mask.json');
  await writeFile(maskFile, '{ "notes": { "body": { "constant": "masked" } } }');
  const made = new Map<string, Promise<string>>();
  const make = async (name: string, extent: Extent): Promise<string> => {
    const folder = join(root, name);
    for (const scope of ['master', 'tenants'] as const) {
      const files = migrations[scope].slice(0, extent[scope]);
      await mkdir(join(folder, 'migrations', scope), { recursive: true });
      for (const file of files) await cp(file.path, join(folder, 'migrations', scope, file.name));
    }
    if (extent.with !== undefined)
      await cp(join(import.meta.dirname, 'migrations', extent.with), join(folder, extent.with, 'tenants'), {
        recursive: true,
      });
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    return folder;
  };
  try {
    return await use({
      migrations,
      maskFile,
      async backupFolder(database) {
        const folder = join(backups, database);
        await mkdir(folder, { recursive: true });
        return folder;
      },
      folder(extent) {
        const name = `${extent.master}-${extent.tenants}-${extent.with ?? ''}`;
        const making = made.get(name) ?? make(name, extent);
        made.set(name, making);
        return making;
      },
    });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
