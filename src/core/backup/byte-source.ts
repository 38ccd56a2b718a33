import { createHash } from 'node:crypto';

/** Takes bytes from a stream in pieces of known length, and hashes what was taken. */
export interface ByteSource {
  /** @returns fewer bytes only if the stream has ended */
  take(bytes: number): Promise<Buffer>;
  readonly taken: number;
  /** Hexadecimal SHA-256 of what was taken. */
  sha256(): string;
}

/** It holds no more than what is asked for, and one chunk of the stream. */
export function createByteSource(input: AsyncIterable<Uint8Array>): ByteSource {
  const chunks = input[Symbol.asyncIterator]();
  const hash = createHash('sha256');
  let rest: Uint8Array = Buffer.alloc(0);
  let taken = 0;
  return {
    async take(bytes) {
      const pieces: Uint8Array[] = [];
      let missing = bytes;
      while (missing > 0) {
        if (rest.length === 0) {
          const next = await chunks.next();
          if (next.done === true) break;
          rest = next.value;
        }
        const piece = rest.subarray(0, missing);
        rest = rest.subarray(piece.length);
        missing -= piece.length;
        pieces.push(piece);
      }
      const all = Buffer.concat(pieces);
      hash.update(all);
      taken += all.length;
      return all;
    },
    get taken() {
      return taken;
    },
    sha256: () => hash.copy().digest('hex'),
  };
}
