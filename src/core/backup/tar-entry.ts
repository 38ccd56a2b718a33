/** tar's unit: a header is one block, and content is filled up to whole blocks. */
export const BLOCK = 512;

/** What a tar file ends with. */
export const END_OF_TAR = Buffer.alloc(2 * BLOCK);

const USTAR = ['ustar', '00'].join('\0');

/** Most bytes of a name without a prefix. */
export const MAX_ENTRY_NAME = 100;

/** Most bytes that 11 octal digits can say. */
const MAX_SIZE = 0o77777777777;

/**
 * A header of POSIX's ustar format: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html. Name and size
 * determine all of its bytes, so that a reader can tell any change.
 * @param name ASCII
 */
export function tarHeader(name: string, size: number): Buffer {
  if (name.length > MAX_ENTRY_NAME || size > MAX_SIZE)
    throw new Error(`no tar entry: ${name}, ${size} bytes`);
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0, 'latin1');
  header.write('0000600\0'.concat('0000000\0'.repeat(2)), 100, 'latin1');
  header.write(`${size.toString(8).padStart(11, '0')}\0${'0'.repeat(11)}\0`, 124, 'latin1');
  header.write('        0', 148, 'latin1');
  header.write(USTAR, 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

/** The name and size of a header of tarHeader; undefined for any other block. */
export function parseTarHeader(header: Buffer): { readonly name: string; readonly size: number } | undefined {
  const name = header.toString('latin1', 0, MAX_ENTRY_NAME).replace(/\0+$/, '');
  const size = Number.parseInt(header.toString('latin1', 124, 135), 8);
  if (!(size >= 0) || !header.equals(tarHeader(name, size))) return undefined;
  return { name, size };
}

/** The zeros that fill up content of this size. */
export function paddingOf(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}
