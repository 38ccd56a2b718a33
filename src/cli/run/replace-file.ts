import { randomBytes } from 'node:crypto';
import { access, chmod, constants, mkdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, TenantctlError } from '../../errors.ts';

/** Whether `replaceFile` could write there, before any work is done for it. @throws TenantctlError FILE_UNUSABLE */
export async function assertReplaceable(path: string): Promise<void> {
  await usable(path, async () => {
    const existing = await existingFile(path);
    if (existing === undefined || existing.isFile()) await access(dirname(path), constants.W_OK);
  });
}

/**
 * Writes a file in one step: a reader sees the old text or the new one. An existing file keeps its mode. A pipe or a
 * device is written to. A folder that is missing is created.
 * @throws TenantctlError FILE_UNUSABLE
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  await usable(path, async () => {
    const existing = await existingFile(path);
    if (existing?.isFile() === false) return writeFile(path, text);
    // A link stays one.
    const target = existing === undefined ? path : await realpath(path);
    await mkdir(dirname(target), { recursive: true });
    const temporary = `${target}.${randomBytes(4).toString('hex')}.tmp`;
    try {
      await writeFile(temporary, text, { flag: 'wx' });
      if (existing !== undefined) await chmod(temporary, existing.mode);
      await rename(temporary, target);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  });
}

/** @throws Error for a folder */
async function existingFile(path: string) {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found?.isDirectory() === true) throw new Error('it is a folder');
  return found;
}

async function usable(path: string, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const reason = isMissing ? `there is no folder ${dirname(path)}` : messageOf(cause);
    throw new TenantctlError('FILE_UNUSABLE', `${path} cannot be written: ${reason}.`, { cause });
  }
}
