import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { verifyBackup } from '../../src/core/backup/read-backup.ts';
import type { Snapshot } from './snapshot.ts';

const PARTIAL = /\.[0-9a-f]{8}\.partial$/;

/**
 * Judges the backups of a case: a file with a finished name can be verified and is recorded as it is; every other one is
 * a temporary one; nobody else can read them; each has all rows that its tenant had.
 * @param start the tenants that were backed up
 */
export async function judgeFiles(
  folder: string,
  { backups, tombstones }: Snapshot,
  start: Snapshot,
): Promise<string[]> {
  const names = await readdir(folder);
  const recorded = new Map(backups.map(({ file, sha256 }) => [file, sha256]));
  const files = new Set([
    ...recorded.keys(),
    ...tombstones.flatMap(({ backup }) => backup ?? []),
    ...names.filter((name) => !PARTIAL.test(name)).map((name) => join(folder, name)),
  ]);
  const findings = await Promise.all([...files].map((file) => judgeFile(file, recorded.get(file), start)));
  const modes = await Promise.all(names.map((name) => isPrivate(join(folder, name))));
  return [
    ...findings.flat(),
    ...names.filter((_, at) => modes[at] !== true).map((name) => `${name}: others can read it`),
  ];
}

async function isPrivate(file: string): Promise<boolean> {
  return ((await stat(file)).mode & 0o077) === 0;
}

async function judgeFile(file: string, sha256: string | undefined, start: Snapshot): Promise<string[]> {
  try {
    const verified = await verifyBackup(file);
    const { schema, measures } = verified.manifest;
    const content = start.schemas.find((each) => each.schema === schema)?.content;
    const lost = measures.filter(({ table, rows }) => {
      if (content === undefined || table.startsWith('knex_migrations')) return false;
      return rows !== content.filter((line) => line.startsWith(`row ${table} `)).length;
    });
    return [
      ...(sha256 === undefined || sha256 === verified.sha256
        ? []
        : [`${file} is not the one that is recorded`]),
      ...lost.map(({ table, rows }) => `${file}: ${rows} rows of ${table}, which had another number`),
    ];
  } catch (error) {
    return [`${file}: ${String(error)}`];
  }
}
