import { checkOptions } from '../options/check-options.ts';
import { mkdir, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { TenantctlError } from '../../errors.ts';
import { maskSecrets } from '../../secrets.ts';
import { packageType } from './package-type.ts';
import { seedSkeletonFor, skeletonFor } from './skeleton.ts';
import { compareNames, readMigrationFolder, readSeedFolder, stemOf } from './source.ts';

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

/**
 * Writes an empty migration that sorts last.
 * @throws TenantctlError MIGRATION_NAME_INVALID, FILE_EXISTS, FILE_UNUSABLE
 */
export async function makeMigration(options: MakeOptions): Promise<MadeMigration> {
  const made = await make(options, readMigrationFolder, skeletonFor);
  return { ...made, note: made.format === 'sql' ? NOT_FOR_KNEX : undefined };
}

/** makeMigration for a seed. */
export function makeSeed(options: MakeOptions): Promise<MadeMigration> {
  return make(options, readSeedFolder, seedSkeletonFor);
}

async function make(
  options: MakeOptions,
  readFolder: typeof readMigrationFolder,
  skeleton: typeof skeletonFor,
): Promise<MadeMigration> {
  checkOptions(options, 'folder', 'name');
  assertMigrationName(options.name);
  await mkdir(options.folder, { recursive: true });
  const folder = await readFolder(options.folder);
  const newest = folder.files.at(-1)?.name;
  const format = options.format ?? formatOf(newest) ?? 'ts';
  const extension = format === 'sql' ? '.sql' : extensionLike(newest, format);
  const prefix = nextPrefix(newest, options.now ?? new Date());
  const path = join(options.folder, `${prefix}_${options.name}${extension}`);
  const type = extension === '.js' ? await packageType(options.folder) : 'commonjs';
  await writeNew(path, skeleton(extension, type));
  return { path, format };
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

/**
 * What a new name begins with, so that it sorts after the newest: the time in Knex's form (YYYYMMDDhhmmss, UTC), or
 * else the newest file's own number plus one (a second, if it is a time).
 * @throws TenantctlError MIGRATION_NAME_INVALID
 */
function nextPrefix(newest: string | undefined, now: Date): string {
  const sortsLast = (prefix: string) => newest === undefined || compareNames(`${prefix}_`, newest) > 0;
  const time = toStamp(now);
  if (sortsLast(time)) return time;
  const [, before = '', number = ''] = /^(\D*)(\d+)/.exec(newest ?? '') ?? [];
  const next = `${before}${number && following(number)}`;
  if (sortsLast(next)) return next;
  throw new TenantctlError(
    'MIGRATION_NAME_INVALID',
    `No name that continues the folder sorts after ${newest}: names are compared character by character.`,
    {
      hint: 'Give numbers leading zeros (002_users, 010_notes), or times, before the files are applied anywhere. Or write the new file by hand, with a name that sorts last.',
    },
  );
}

/** The next number of as many digits, or the next second. */
function following(number: string): string {
  const form = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/;
  const time = Date.parse(number.replace(form, '$1-$2-$3T$4:$5:$6Z'));
  return form.test(number) && !Number.isNaN(time)
    ? toStamp(new Date(time + 1_000))
    : String(BigInt(number) + 1n).padStart(number.length, '0');
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
