import { existsSync } from 'node:fs';
import { messageOf, TenantctlError } from '../../errors.ts';
import { readTextFile } from '../../text-file.ts';

/**
 * A file that tenantctl writes, with the line ends that it writes; undefined if there is none.
 * @throws TenantctlError FILE_UNUSABLE
 */
export function readGenerated(path: string, hint: string): string | undefined {
  try {
    return readTextFile(path).replaceAll('\r\n', '\n');
  } catch (cause) {
    if (!existsSync(path)) return undefined;
    throw new TenantctlError('FILE_UNUSABLE', `${path} ${messageOf(cause)}.`, { hint, cause });
  }
}
