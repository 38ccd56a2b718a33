import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, TenantctlError } from '../../errors.ts';
import { readTextFile } from '../../text-file.ts';
import { HEADER } from './render-types.ts';

/** A file with types. */
export interface TypesFile {
  /** With the line ends that tenantctl writes. */
  readonly text: string;
  /** tenantctl has written it. */
  readonly isOwn: boolean;
}

/** Undefined if there is no such file. @throws TenantctlError FILE_UNUSABLE if it is no text file */
export function readTypesFile(path: string): TypesFile | undefined {
  try {
    const text = readTextFile(path).replaceAll('\r\n', '\n');
    return { text, isOwn: text.startsWith(HEADER) };
  } catch (cause) {
    if (!existsSync(path)) return undefined;
    throw new TenantctlError('FILE_UNUSABLE', `${path} ${messageOf(cause)}.`, {
      hint: 'Name a file for the types.',
      cause,
    });
  }
}

/** A reader sees the old file or the new one. */
export async function writeTypesFile(path: string, text: string): Promise<void> {
  const beside = `${path}.${randomUUID()}`;
  await mkdir(dirname(path), { recursive: true });
  try {
    await writeFile(beside, text, { flag: 'wx' });
    await rename(beside, path);
  } finally {
    await rm(beside, { force: true });
  }
}
