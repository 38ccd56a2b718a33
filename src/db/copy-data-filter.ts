/** Bytes of a message's header: its type, and its length without the type. */
const HEADER = 5;
const COPY_DATA = Buffer.from('d').readUInt8();
/** CopyOutResponse, notices, parameters and notifications: the copy goes on after them. */
const ASIDE = new Set(Buffer.from('HNSA'));

export interface Filtered {
  /** The content of CopyData messages. It has the memory of the chunk. */
  readonly data: Buffer;
  /** Whole or partial messages of other types, in order. */
  readonly others: readonly Buffer[];
  /** The rest of the chunk from the message on that ends the copy: CopyDone or an error. */
  readonly rest: Buffer | undefined;
}

/**
 * Takes CopyData messages out of what a server sends
 * (https://www.postgresql.org/docs/current/protocol-message-formats.html). The server sends one for each row; their
 * content is moved together within the chunk, so that a row needs no object.
 */
export function createCopyDataFilter(): (chunk: Buffer) => Filtered {
  const header = Buffer.alloc(HEADER);
  let [known, missing] = [0, 0];
  return (chunk) => {
    const others: Buffer[] = [];
    let [at, end] = [0, 0];
    while (at < chunk.length) {
      if (missing === 0) {
        header[known++] = chunk[at++] ?? 0;
        if (known < HEADER) continue;
        known = 0;
        const [type = 0] = header;
        if (type !== COPY_DATA && !ASIDE.has(type)) {
          const rest = Buffer.concat([header, chunk.subarray(at)]);
          return { data: chunk.subarray(0, end), others, rest };
        }
        if (type !== COPY_DATA) others.push(Buffer.from(header));
        missing = header.readUInt32BE(1) - 4;
      }
      const size = Math.min(missing, chunk.length - at);
      if (header[0] === COPY_DATA) {
        chunk.copyWithin(end, at, at + size);
        end += size;
      } else others.push(Buffer.from(chunk.subarray(at, at + size)));
      at += size;
      missing -= size;
    }
    return { data: chunk.subarray(0, end), others, rest: undefined };
  };
}
