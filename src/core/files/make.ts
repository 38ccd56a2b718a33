import { existsSync } from 'node:fs';
import { checkOptions } from '../options/check-options.ts';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { TenantctlError } from '../../errors.ts';
import { maskSecrets } from '../../secrets.ts';
import { skeletonFor } from './skeleton.ts';
import { readMigrationFolder, stemOf, type MigrationFolder } from './source.ts';

export type MigrationFormat = 'ts' | 'js' | 'sql';

export interface MakeOptions {
  readonly folder: string;
  /** Letters, digits, _ and -. */
  readonly name: string;
  /** By default that of the newest file in the folder; ts if the folder is empty. */
  readonly format?: MigrationFormat | undefined;
  /** The time of the timestamp; one second after the newest file's if that is later. */
  readonly now?: Date | undefined;
}

export interface MadeMigration {
  readonly path: string;
  readonly format: MigrationFormat;
  /** A warning that Knex cannot run a migration of this format. */
  readonly note?: string | undefined;
}

/** Writes an empty migration that sorts last. @throws TenantctlError MIGRATION_NAME_INVALID, FILE_EXISTS */
export async function makeMigration(options: MakeOptions): Promise<MadeMigration> {
  checkOptions(options, 'folder', 'name');
  assertMigrationName(options.name);
  await mkdir(options.folder, { recursive: true });
  const folder = await readMigrationFolder(options.folder);
  const newest = folder.files.at(-1)?.name;
  const format = options.format ?? formatOf(newest) ?? 'ts';
  const extension = format === 'sql' ? '.sql' : extensionLike(newest, format);
  const stamp = nextTimestamp(folder, options.now ?? new Date());
  const path = join(options.folder, `${stamp}_${options.name}${extension}`);
  const type = extension === '.js' ? await packageType(options.folder) : 'commonjs';
  await writeNew(path, skeletonFor(extension, type));
  return { path, format, note: format === 'sql' ? NOT_FOR_KNEX : undefined };
}

const NOT_FOR_KNEX =
  'Knex itself cannot run a .sql migration: once it is applied, only tenantctl can continue this history.';

/** Creates a file; never overwrites one. @throws TenantctlError FILE_EXISTS */
export async function writeNew(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const details = { hint: 'Choose another name.', cause: error };
    throw new TenantctlError('FILE_EXISTS', `${path} exists already.`, details);
  }
}

function assertMigrationName(name: string): void {
  if (/^[A-Za-z0-9_-]{1,200}$/.test(name)) return;
  const suggestion = maskSecrets(name)
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^A-Za-z0-9_-]+/g, '_')
    .replaceAll(/^_+|_+$/g, '')
    .slice(0, 200);
  throw new TenantctlError('MIGRATION_NAME_INVALID', `"${name}" cannot be the name of a migration.`, {
    hint: `Use letters, digits, _ and - only${suggestion === '' ? '' : `: ${suggestion}, for instance`}.`,
  });
}

/** Knex's form, YYYYMMDDhhmmss, in UTC; one second after the newest file's if that is not in the past. */
function nextTimestamp(folder: MigrationFolder, now: Date): string {
  const stamps = folder.files.flatMap(({ name }) => /^\d{14}(?=\D)/.exec(name) ?? []);
  const newest = stamps.toSorted().at(-1) ?? '';
  const stamp = toStamp(now);
  if (newest < stamp) return stamp;
  const time = Date.parse(newest.replace(/(....)(..)(..)(..)(..)(..)/, '$1-$2-$3T$4:$5:$6Z'));
  // Digits that are not a date, such as a serial number, are incremented.
  return Number.isNaN(time) ? String(BigInt(newest) + 1n) : toStamp(new Date(time + 1_000));
}

function toStamp(date: Date): string {
  return date.toISOString().replaceAll(/\D/g, '').slice(0, 14);
}

function formatOf(name: string | undefined): MigrationFormat | undefined {
  if (name === undefined) return undefined;
  if (name.endsWith('.sql')) return 'sql';
  return /\.[mc]?ts$/.test(name) ? 'ts' : 'js';
}

function extensionLike(newest: string | undefined, format: 'ts' | 'js'): string {
  return newest !== undefined && stemOf(newest) !== newest && formatOf(newest) === format
    ? extname(newest)
    : `.${format}`;
}

/** The `type` of the nearest package.json, found as Node finds it. */
export async function packageType(folder: string): Promise<'module' | 'commonjs'> {
  for (let at = folder; ; at = dirname(at)) {
    const file = join(at, 'package.json');
    if (existsSync(file)) {
      const content = await readFile(file, 'utf8')
        .then<{ type?: unknown }>(JSON.parse)
        .catch(() => undefined);
      return content?.type === 'module' ? 'module' : 'commonjs';
    }
    if (dirname(at) === at) return 'commonjs';
  }
}
