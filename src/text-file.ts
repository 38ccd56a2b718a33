import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

const MEBIBYTE = 1024 * 1024;
const DEFAULT_MIB = 16;
/** Pipes from a shell: `--dotenv <(vault ...)`, `/dev/stdin`. They have a writer, so waiting is safe. */
const INHERITED = /^\/(?:dev\/(?:fd\/\d+|stdin)|proc\/self\/fd\/\d+)$/;

/** Why a text file is unreadable, in words that follow its path: "is a folder, not a file". */
export class UnreadableFile extends Error {
  override readonly name = 'UnreadableFile';
}

/**
 * Reads a text file named by the user. Pipes, devices and large files are refused, so that it never waits for
 * a writer.
 * @param options.maxMiB maximum size in MiB; 16 if absent
 * @throws UnreadableFile
 */
export function readTextFile(
  path: string,
  { maxMiB = DEFAULT_MIB }: { readonly maxMiB?: number } = {},
): string {
  return readBytes(path, maxMiB).toString('utf8');
}

/**
 * Reads a file of SQL, without a byte order mark. Other encodings than UTF-8 are refused: the server would get other
 * letters than the user wrote.
 * @throws UnreadableFile
 */
export function readSqlText(path: string): string {
  const bytes = readBytes(path, DEFAULT_MIB);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new UnreadableFile('is not UTF-8: save it in that encoding', { cause });
  }
}

function readBytes(path: string, maxMiB: number): Buffer {
  const isInherited = INHERITED.test(path);
  let file: number | undefined;
  try {
    // Opening a pipe would wait for a writer.
    file = openSync(path, constants.O_RDONLY | (isInherited ? 0 : (constants.O_NONBLOCK ?? 0)));
    const facts = fstatSync(file);
    if (facts.isDirectory()) throw new UnreadableFile('is a folder, not a file');
    if (!facts.isFile() && !isInherited) throw new UnreadableFile('is a pipe or a device, not a file');
    if (facts.size > maxMiB * MEBIBYTE) throw new UnreadableFile(`is larger than ${maxMiB} MiB`);
    return readFileSync(file);
  } catch (error) {
    throw error instanceof UnreadableFile ? error : unreadable(error);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function unreadable(cause: unknown): UnreadableFile {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new UnreadableFile('does not exist', { cause });
  if (code === 'EISDIR') return new UnreadableFile('is a folder, not a file', { cause });
  return new UnreadableFile(`cannot be read (${code ?? String(cause)})`, { cause });
}
