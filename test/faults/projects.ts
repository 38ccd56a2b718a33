import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadMigration } from '../../src/core/files/load.ts';
import { readMigrationFolder, type MigrationFile } from '../../src/core/files/source.ts';

/** The migrations that the harness works with, in the order in which they run. */
export interface Migrations {
  readonly master: readonly MigrationFile[];
  readonly tenants: readonly MigrationFile[];
  /** How many tenant migrations come before the first that runs outside a transaction, in one direction or the other. */
  readonly inside: number;
}

/** The migrations that a project has: so many of the first. */
export interface Extent {
  readonly master: number;
  readonly tenants: number;
}

/** Folders in which the program is called. */
export interface Projects {
  readonly migrations: Migrations;
  /** The folder of a project with these migrations. */
  folder(extent: Extent): Promise<string>;
}

/** Reads the folders `master` and `tenants`. @throws Error where there is too little to do anything with */
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

/** Makes folders with the first of the migrations, for the time of `use`. */
export async function withProjects<T>(
  migrations: Migrations,
  use: (projects: Projects) => Promise<T>,
): Promise<T> {
  const root = await mkdtemp(join(tmpdir(), 'tenantctl-project-'));
  const made = new Map<string, Promise<string>>();
  const make = async (name: string, extent: Extent): Promise<string> => {
    const folder = join(root, name);
    for (const scope of ['master', 'tenants'] as const) {
      const files = migrations[scope].slice(0, extent[scope]);
      await mkdir(join(folder, 'migrations', scope), { recursive: true });
      for (const file of files) await cp(file.path, join(folder, 'migrations', scope, file.name));
    }
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    return folder;
  };
  try {
    return await use({
      migrations,
      folder(extent) {
        const name = `${extent.master}-${extent.tenants}`;
        const making = made.get(name) ?? make(name, extent);
        made.set(name, making);
        return making;
      },
    });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
