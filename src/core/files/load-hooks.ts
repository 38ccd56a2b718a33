import type { TenantNames } from '../../names.ts';
import { basename, resolve } from 'node:path';
import type { Knex } from 'knex';
import { messageOf, type TenantctlError } from '../../errors.ts';
import { similarTo } from '../../similar.ts';
import { readFileBytes } from '../../text-file.ts';
import { listed } from '../../wording.ts';
import { importMigration } from './import-migration.ts';
import { invalid } from './invalid-migration.ts';
import { decodedText, type Migration } from './load.ts';
import { checksumOf, stemOf, type MigrationFile } from './source.ts';

/** The functions that a hooks file may export. */
const HOOK_NAMES = [
  'beforeProvision',
  'afterProvision',
  'beforeMigrate',
  'afterMigrate',
  'beforeSuspend',
  'afterSuspend',
  'beforeResume',
  'afterResume',
] as const;

export type HookName = (typeof HOOK_NAMES)[number];

/** What a hook is called with. */
export interface HookCall {
  readonly tenant: TenantNames;
  /** The tenant's open transaction, as a migration gets it. If the hook throws, it is rolled back. */
  readonly knex: Knex;
  /** The migrations that the run applies to the tenant; empty for suspend and resume. */
  readonly migrations: readonly string[];
  /** The run's number in the ledger; undefined if it could not be recorded. */
  readonly run: number | undefined;
}

export type TenantHook = (call: HookCall) => unknown;

/** What a hooks file exports. */
export type TenantHooks = { readonly [Name in HookName]?: TenantHook };

/** A hooks file that was loaded. */
export interface LoadedHooks extends Pick<Migration, 'file' | 'text' | 'checksum'> {
  readonly hooks: TenantHooks;
}

/** Loads a hooks file, which runs its top level. @throws TenantctlError HOOKS_INVALID */
export async function loadHooks(path: string): Promise<LoadedHooks> {
  const name = basename(path);
  const file = { name, stem: stemOf(name), path: resolve(path), format: 'module', kind: 'hook' } as const;
  const bytes = bytesOf(file);
  const text = decodedText(file, bytes);
  const members = membersOf(await importMigration(file, text));
  return { file, hooks: hooksIn(file, members), text, checksum: checksumOf(file, bytes) };
}

function bytesOf(file: MigrationFile): Buffer {
  try {
    return readFileBytes(file.path, { maxMiB: Infinity });
  } catch (cause) {
    throw invalid(file, `${messageOf(cause)}.`, undefined, { cause });
  }
}

/** What a module exports, by name or as members of its default. */
function membersOf(loaded: object): ReadonlyMap<string, unknown> {
  const members = new Map<string, unknown>(Object.entries(loaded));
  for (const marker of MARKERS) members.delete(marker);
  const whole = members.get('default');
  if (typeof whole !== 'object' || whole === null) return members;
  members.delete('default');
  return new Map([...membersOf(whole), ...members]);
}

/** What compilers and Node add to the exports of CommonJS. */
const MARKERS = ['__esModule', 'module.exports'];

function hooksIn(file: MigrationFile, members: ReadonlyMap<string, unknown>): TenantHooks {
  for (const [name, value] of members) {
    if (!HOOK_NAMES.some((known) => known === name)) throw unknownHook(file, name);
    if (typeof value !== 'function') throw invalid(file, `exports "${name}", which is not a function.`);
  }
  if (members.size === 0) throw invalid(file, 'exports no hook.', `It may export ${ALL}.`);
  return Object.fromEntries(members);
}

const ALL = listed([...HOOK_NAMES], HOOK_NAMES.length);

function unknownHook(file: MigrationFile, name: string): TenantctlError {
  const [meant] = similarTo(name, HOOK_NAMES);
  return invalid(
    file,
    `exports "${name}", which is not the name of a hook.`,
    `${meant === undefined ? '' : `Did you mean ${meant}? `}A hooks file exports nothing but hooks: ${ALL}.`,
  );
}
