import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HEADER } from './render-types.ts';

/** A file with types. */
export interface TypesFile {
  /** With the line ends that tenantctl writes. */
  readonly text: string;
  /** tenantctl has written it. */
  readonly isOwn: boolean;
}

/** Undefined if there is no such file. */
export async function readTypesFile(path: string): Promise<TypesFile | undefined> {
  try {
    const text = (await readFile(path, 'utf8')).replaceAll('\r\n', '\n');
    return { text, isOwn: text.startsWith(HEADER) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
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
