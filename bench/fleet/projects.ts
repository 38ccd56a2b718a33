import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { INIT_SQL } from '../../test/support/init-sql.ts';
import { ADD, ADD_AFTER_WAIT, INIT, type BenchMigration } from './migrations.ts';
import { WIDE } from './wide-migration.ts';

/** A project with the same migrations for each rival. */
export interface Project {
  readonly folder: string;
  readonly migrations: readonly BenchMigration[];
  /** Folders: .js files for tenantctl and Knex, .js files for node-pg-migrate, .sql files for dbmate. */
  readonly knex: string;
  readonly nodePgMigrate: string;
  readonly dbmate: string;
}

export interface Projects {
  /** With the three migrations of `init`. */
  readonly before: Project;
  /** Also with that of `add`. */
  readonly after: Project;
  /** The same, with a wait in `add`. */
  readonly afterWait: Project;
  /** With 25 tables. */
  readonly wide: Project;
}

/** Runs `use` with both projects in a temporary folder. */
export async function withProjects<T>(use: (projects: Projects) => Promise<T>): Promise<T> {
  const root = await mkdtemp(join(tmpdir(), 'tenantctl-bench-'));
  try {
    return await use({
      before: await writeProject(join(root, 'before'), INIT),
      after: await writeProject(join(root, 'after'), [...INIT, ADD]),
      afterWait: await writeProject(join(root, 'after-wait'), [...INIT, ADD_AFTER_WAIT]),
      wide: await writeProject(join(root, 'wide'), WIDE),
    });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function writeProject(folder: string, migrations: readonly BenchMigration[]): Promise<Project> {
  const project = {
    folder,
    migrations,
    knex: join(folder, 'migrations/tenants'),
    nodePgMigrate: join(folder, 'node-pg-migrate'),
    dbmate: join(folder, 'dbmate'),
  };
  const master = join(folder, 'migrations/master');
  for (const each of [master, project.knex, project.nodePgMigrate, project.dbmate])
    await mkdir(each, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{"type":"commonjs"}\n');
  await writeFile(join(master, '20260101000000_init_db.sql'), INIT_SQL);
  for (const { name, builder, sql } of migrations) {
    await writeFile(join(project.knex, `${name}.js`), builder);
    await writeFile(
      join(project.nodePgMigrate, `${name}.js`),
      `exports.up = (pgm) => {\n${sql.map((each) => `  pgm.sql(${JSON.stringify(each)});\n`).join('')}};\n`,
    );
    await writeFile(
      join(project.dbmate, `${name}.sql`),
      `-- migrate:up\n${sql.join(';\n')};\n-- migrate:down\n`,
    );
  }
  return project;
}
