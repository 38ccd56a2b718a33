import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { TestServerDatabase } from './database.ts';

const run = promisify(execFile);

/** Debian's folder with programs by version. */
const DEBIAN = '/usr/lib/postgresql';

export interface DumpPrograms {
  /** Dumps a database in pg_restore's format. */
  readonly dump: (testDatabase: TestServerDatabase, file: string, ...options: string[]) => Promise<void>;
  /** The plain dump of one schema. */
  readonly dumpSchema: (testDatabase: Pick<TestServerDatabase, 'url'>, schema: string) => Promise<string>;
  /** Restores it in one transaction. @throws Error unless pg_restore exits with 0 */
  readonly restore: (testDatabase: TestServerDatabase, file: string, ...options: string[]) => Promise<void>;
}

/**
 * pg_dump and pg_restore, from PATH or Debian's folders: pg_dump refuses a server newer than itself.
 * @param serverVersion as in server_version_num
 * @returns the reason if not found
 */
export async function findDumpPrograms(serverVersion: number): Promise<DumpPrograms | string> {
  const major = Math.floor(serverVersion / 10_000);
  const versions = await readdir(DEBIAN).catch(() => []);
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter),
    ...versions.map((version) => join(DEBIAN, version, 'bin')),
  ];
  for (const folder of folders) {
    const versionsHere = await Promise.all(
      ['pg_dump', 'pg_restore'].map((name) => majorOf(join(folder, name))),
    );
    if (versionsHere.every((version) => version >= major)) return programsIn(folder);
  }
  return `there is no pg_dump with pg_restore of version ${major} or newer on PATH or in ${DEBIAN}`;
}

/** The major version of a program; 0 if missing or broken. */
async function majorOf(program: string): Promise<number> {
  const { stdout } = await run(program, ['--version']).catch(() => ({ stdout: '' }));
  return Number(/\(PostgreSQL\) (\d+)/.exec(stdout)?.[1] ?? 0);
}

function programsIn(folder: string): DumpPrograms {
  return {
    async dump({ url }, file, ...options) {
      await run(join(folder, 'pg_dump'), ['-Fc', '-f', file, ...options, url]);
    },
    async dumpSchema({ url }, schema) {
      const quoted = `"${schema.replaceAll('"', '""')}"`;
      const args = ['-n', quoted, '--no-owner', url];
      return (await run(join(folder, 'pg_dump'), args, { maxBuffer: 1 << 28 })).stdout;
    },
    async restore({ url }, file, ...options) {
      await run(join(folder, 'pg_restore'), ['-1', '-d', url, ...options, file]);
    },
  };
}
