import { isUtf8 } from 'node:buffer';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

const MEBIBYTE = 1024 * 1024;
const DEFAULT_MIB = 16;
/** Pipes from a shell: `--dotenv <(vault ...)`, `/dev/stdin`. They have a writer, so waiting is safe. */
const INHERITED = /^\/(?:dev\/(?:fd\/\d+|stdin)|proc\/self\/fd\/\d+)$/;

/** Why a text file is unreadable, in words that follow its path: "is a folder, not a file". */
export class UnreadableFile extends Error {
  override readonly name = 'UnreadableFile';
  /** The line, from 1, if one is wrong. */
  readonly line: number | undefined;

  constructor(message: string, { line, ...options }: ErrorOptions & { readonly line?: number } = {}) {
    super(message, options);
    this.line = line;
  }
}

/**
 * Reads a text file named by the user: see readFileBytes and decodeText.
 * @param options.maxMiB maximum size in MiB; 16 if absent
 * @throws UnreadableFile
 */
export function readTextFile(path: string, { maxMiB = DEFAULT_MIB } = {}): string {
  return decodeText(readFileBytes(path, { maxMiB }));
}

/**
 * Decodes UTF-8, without a byte order mark. What is not UTF-8 is refused: a decoder would replace it, and the
 * database would get other letters than the user wrote. NUL is refused too: PostgreSQL takes it for the end of
 * the text (https://www.postgresql.org/docs/current/protocol-message-types.html).
 * @throws UnreadableFile
 */
export function decodeText(bytes: Buffer): string {
  const nuls = bytes.reduce((count, byte) => (byte === 0 ? count + 1 : count), 0);
  const isWide = /^(?:fffe|feff)/.test(bytes.toString('hex', 0, 2)) || nuls > bytes.length / 4;
  if (isWide) throw new UnreadableFile('is UTF-16, not UTF-8; save it as UTF-8');
  const text = bytes.toString('utf8');
  if (!isUtf8(bytes)) {
    const replaced = Buffer.from(text);
    const at = bytes.findIndex((byte, index) => byte !== replaced[index]);
    const hex = (bytes[at] ?? 0).toString(16).toUpperCase();
    const line = lineAt(bytes, at);
    throw new UnreadableFile(`is not UTF-8: byte 0x${hex} in line ${line}; save it as UTF-8`, { line });
  }
  if (nuls > 0) {
    const line = lineAt(bytes, bytes.indexOf(0));
    throw new UnreadableFile(`contains a NUL character (byte 0x00) in line ${line}`, { line });
  }
  return text.replace(/^\uFEFF/, '');
}

function lineAt(bytes: Buffer, offset: number): number {
  return bytes.subarray(0, offset).filter((byte) => byte === 0x0a).length + 1;
}

/**
 * Reads a file named by the user. Pipes, devices and large files are refused, so that it never waits for a
 * writer.
 * @param options.maxMiB maximum size in MiB; 16 if absent
 * @throws UnreadableFile
 */
export function readFileBytes(path: string, { maxMiB = DEFAULT_MIB } = {}): Buffer {
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
