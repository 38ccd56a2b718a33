import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import {
  countRows,
  FORMAT,
  jsonBytes,
  MANIFEST,
  MARKER,
  PART_BYTES,
  partName,
  tableEndName,
  tableFolder,
  TRAILER,
  type Marker,
  type TableEnd,
  type Trailer,
} from './format.ts';
import { END_OF_TAR, paddingOf, tarHeader } from './tar-entry.ts';

const compress = promisify(gzip);
/** Twice as fast as the default, for a tenth more bytes. */
const FAST = { level: constants.Z_BEST_SPEED + 2, chunkSize: PART_BYTES };

/** The rows of a table, as COPY … TO STDOUT writes them in text format. */
export interface TableRows {
  readonly table: string;
  readonly rows: AsyncIterable<Uint8Array>;
}

export interface EncodedSize {
  readonly bytes: number;
  /** Hexadecimal, of the whole file: as `sha256sum` prints it. */
  readonly sha256: string;
  readonly rows: number;
}

/** A backup file as a sequence of bytes. It holds two parts of a table in memory, and reads rows as it is read. */
export function encodeBackup(
  manifest: object,
  tables: AsyncIterable<TableRows>,
): { readonly chunks: AsyncIterable<Buffer>; readonly size: () => EncodedSize } {
  const whole = createHash('sha256');
  let [bytes, rows] = [0, 0];
  const count = (chunk: Buffer) => {
    whole.update(chunk);
    bytes += chunk.length;
    return chunk;
  };
  async function* chunks(): AsyncGenerator<Buffer> {
    for await (const chunk of encodeHead(manifest)) yield count(chunk);
    let index = 0;
    for await (const table of tables) {
      const end = yield* encodeTable(index, table, count);
      rows += end.rows;
      index += 1;
    }
    const trailer: Trailer = { tables: index, rows, sha256: whole.copy().digest('hex') };
    yield count(encodeTrailer(trailer));
  }
  return { chunks: chunks(), size: () => ({ bytes, rows, sha256: whole.copy().digest('hex') }) };
}

/** The bytes from the trailer to the end of the file. */
export function encodeTrailer(trailer: Trailer): Buffer {
  return Buffer.concat([...entry(TRAILER, jsonBytes(trailer)), END_OF_TAR]);
}

/** Marker and manifest. */
async function* encodeHead(manifest: object): AsyncGenerator<Buffer> {
  const packed = await compress(JSON.stringify(manifest));
  const marker: Marker = { format: FORMAT, manifest: createHash('sha256').update(packed).digest('hex') };
  yield* entry(MARKER, jsonBytes(marker));
  yield* entry(MANIFEST, packed);
}

/** @returns what the entry after the rows says */
async function* encodeTable(
  index: number,
  { table, rows: data }: TableRows,
  count: (chunk: Buffer) => Buffer,
): AsyncGenerator<Buffer, TableEnd> {
  const folder = tableFolder(index, table);
  const hash = createHash('sha256');
  let [rows, bytes, parts] = [0, 0, 0];
  // While a part is written, the next one is compressed.
  let ahead: Promise<readonly Buffer[]> | undefined;
  for await (const part of inParts(data)) {
    hash.update(part);
    bytes += part.length;
    rows += countRows(part);
    const name = partName(folder, parts++);
    const packed = compress(part, FAST).then((content) => entry(name, content));
    packed.catch(() => {});
    if (ahead !== undefined) yield* (await ahead).map(count);
    ahead = packed;
  }
  if (ahead !== undefined) yield* (await ahead).map(count);
  const end: TableEnd = { table, rows, bytes, sha256: hash.digest('hex') };
  yield* entry(tableEndName(folder), jsonBytes(end)).map(count);
  return end;
}

/** Cuts data into pieces of PART_BYTES. A piece is valid until the next but one is asked for: their memory is reused. */
async function* inParts(data: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let [part, other] = [Buffer.allocUnsafe(PART_BYTES), Buffer.allocUnsafe(PART_BYTES)];
  let size = 0;
  for await (const chunk of data) {
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + PART_BYTES - size);
      part.set(piece, size);
      at += piece.length;
      size += piece.length;
      if (size < PART_BYTES) continue;
      yield part;
      [part, other, size] = [other, part, 0];
    }
  }
  if (size > 0) yield part.subarray(0, size);
}

function entry(name: string, content: Buffer): readonly Buffer[] {
  return [tarHeader(name, content.length), content, paddingOf(content.length)];
}
