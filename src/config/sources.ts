import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'dotenv';
import { messageOf, TenantctlError } from '../errors.ts';
import { shellWord } from '../wording.ts';
import { readTextFile, UnreadableFile } from '../text-file.ts';
import { fileWarnings } from './file-warnings.ts';
import type { Problem, Variables } from './settings.ts';

export interface EnvFile {
  readonly variables: Variables;
  readonly warnings: readonly Problem[];
}

const WAYS = {
  url: ['DATABASE_URL'],
  parts: ['DB_HOST', 'DB_PORT', 'DB_USER', 'DB_PASSWORD', 'DB_NAME'],
  embedded: ['DB_EMBEDDED'],
} as const;

/**
 * Merges the environment and the .env file; the environment wins. If it names a database one way (such as by
 * URL), the file's settings for the other ways are ignored. Empty values count as unset.
 */
export function mergeSources(environment: Variables, file: Variables): Variables {
  const outer = withoutEmpty(environment);
  const inner = withoutEmpty(file);
  const ofFile = Object.values(WAYS)
    .flat()
    .filter((name) => inner[name] !== undefined);
  const named = Object.values(WAYS).filter((names) => names.some((name) => outer[name] !== undefined));
  if (named.length > 0) {
    for (const names of Object.values(WAYS)) {
      if (!named.includes(names)) for (const name of names) delete inner[name];
    }
  }
  // If the file's database is overridden, its direct URL belongs to another database.
  const isOverridden = ofFile.every((name) => inner[name] === undefined || outer[name] !== undefined);
  if (ofFile.length > 0 && isOverridden) delete inner.DB_DIRECT_URL;
  return { ...inner, ...outer };
}

/** Whoever may write the file chooses the database that the migrations run on. */
function openToAll(path: string): Problem[] {
  const facts = statSync(path);
  if (process.platform === 'win32' || !facts.isFile() || (facts.mode & 0o002) === 0) return [];
  return [
    {
      variable: path,
      message: 'can be changed by every user of this machine',
      remedy: `chmod o-w ${shellWord(path)}`,
    },
  ];
}

function withoutEmpty(variables: Variables): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).filter((entry): entry is [string, string] => (entry[1] ?? '').trim() !== ''),
  );
}

/** Reads an .env file (default: `.env`, if any), without expansion. @throws TenantctlError CONFIG_INVALID */
export function readEnvFile(folder: string, name: string | undefined): EnvFile {
  const path = resolve(folder, name ?? '.env');
  try {
    const text = readTextFile(path, { maxMiB: 1 });
    const variables = parse(text);
    return { variables, warnings: [...fileWarnings(text, variables), ...openToAll(path)] };
  } catch (error) {
    const isAbsent = error instanceof UnreadableFile && error.message === 'does not exist';
    if (name === undefined && isAbsent) return { variables: {}, warnings: [] };
    throw new TenantctlError('CONFIG_INVALID', `The env file ${path} ${messageOf(error)}.`, {
      hint: 'Give --dotenv the path of a file with one NAME=value per line; tenantctl init writes an example.',
      cause: error,
    });
  }
}
