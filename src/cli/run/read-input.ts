import { buffer } from 'node:stream/consumers';
import { messageOf, TenantctlError } from '../../errors.ts';
import type { Context } from './context.ts';
import { decodeText, readFileBytes } from '../../text-file.ts';

/**
 * The text of a file that the user names; of standard input if it is `-`.
 * @throws TenantctlError FILE_UNUSABLE; INTERRUPTED
 */
export async function readInput(
  { interruption }: Pick<Context, 'interruption'>,
  path: string,
): Promise<string> {
  try {
    return decodeText(path === '-' ? await interruption.waitFor(buffer(process.stdin)) : readFileBytes(path));
  } catch (cause) {
    if (cause instanceof TenantctlError) throw cause;
    const message = `${nameOfInput(path)} ${messageOf(cause)}.`;
    throw new TenantctlError('FILE_UNUSABLE', message, { cause, hint: HINT });
  }
}

const HINT = 'Name a text file in UTF-8; the path is relative to the current folder. -: standard input.';

export function nameOfInput(path: string): string {
  return path === '-' ? 'Standard input' : path;
}
