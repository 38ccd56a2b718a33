import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { backupDamaged, backupEmpty, backupNewer, backupUnrecognized } from './backup-errors.ts';
import { createByteSource, type ByteSource } from './byte-source.ts';
import { encodeTrailer } from './encode-backup.ts';
import {
  countRows,
  FORMAT,
  jsonBytes,
  MANIFEST,
  MARKER,
  MAX_ENTRY,
  MAX_MANIFEST,
  PART_BYTES,
  partName,
  tableEndName,
  tableFolder,
  type Marker,
  type TableEnd,
} from './format.ts';
import { BLOCK, paddingOf, parseTarHeader } from './tar-entry.ts';

const decompress = promisify(gunzip);

/** A backup that is being read: an entry is checked before anything of it is handed on. */
export interface DecodedBackup {
  /** Parsed, and otherwise unknown. */
  readonly manifest: unknown;
  /**
   * The COPY data of each of these tables, in pieces. Each must be read to its end before the next. The bytes after the
   * last one are read and checked before the iteration ends: until then, what was read may be of a damaged file.
   * @param tables in the order of the manifest
   */
  tables(tables: readonly string[]): AsyncGenerator<AsyncGenerator<Buffer>>;
  /** So far; of the whole file at the end. */
  readonly size: () => { readonly bytes: number; readonly sha256: string };
}

/**
 * Reads marker and manifest.
 * @param what names the input in errors
 * @throws TenantctlError BACKUP_EMPTY, BACKUP_UNRECOGNIZED, BACKUP_NEWER, BACKUP_DAMAGED; `tables` throws the last
 */
export async function decodeBackup(input: AsyncIterable<Uint8Array>, what: string): Promise<DecodedBackup> {
  const source = createByteSource(input);
  const entries = createEntries(source, what);
  const { manifest: expected } = await readMarker(source, what);
  const packed = await entries.read(MANIFEST, MAX_ENTRY.manifest);
  if (sha256Of(packed) !== expected) throw entries.damaged(`${MANIFEST} is not as it was written`);
  return {
    manifest: parseJson(await entries.unpack(packed, MAX_MANIFEST, MANIFEST)),
    async *tables(tables) {
      let rows = 0;
      for (const [index, table] of tables.entries()) {
        const reading = readTable(entries, table, tableFolder(index, table));
        yield reading.data();
        rows += reading.rows();
      }
      const before = source.sha256();
      const expectedEnd = encodeTrailer({ tables: tables.length, rows, sha256: before });
      const end = await source.take(expectedEnd.length);
      if (end.length < expectedEnd.length) throw entries.damaged('its end is missing');
      if (!end.equals(expectedEnd)) throw entries.damaged('its end does not agree with what comes before');
      if ((await source.take(1)).length > 0) throw entries.damaged('something follows its end');
    },
    size: () => ({ bytes: source.taken, sha256: source.sha256() }),
  };
}

async function readMarker(source: ByteSource, what: string): Promise<Marker> {
  const header = await source.take(BLOCK);
  if (header.length === 0) throw backupEmpty(what);
  const named = Buffer.from(`${MARKER}\0`);
  const size = parseTarHeader(header)?.size;
  if (!header.subarray(0, named.length).equals(named)) throw backupUnrecognized(what);
  if (size === undefined || size > MAX_ENTRY.json)
    throw backupDamaged(what, `the header of ${MARKER} is broken`);
  const content = await source.take(size);
  const padding = await source.take(paddingOf(size).length);
  const marker = parseJson(content) as Partial<Marker> | undefined;
  if (typeof marker?.format !== 'number') throw backupDamaged(what, `${MARKER} is broken`);
  if (marker.format > FORMAT) throw backupNewer(what, marker.format, FORMAT);
  const { format, manifest = '' } = marker;
  if (!content.equals(jsonBytes({ format, manifest })) || !padding.equals(paddingOf(size)))
    throw backupDamaged(what, `${MARKER} is broken`);
  return { format, manifest };
}

interface Entries {
  /** The next entry's name and size. */
  next(): Promise<{ readonly name: string; readonly size: number }>;
  /** Its content. */
  content(entry: { readonly name: string; readonly size: number }, most: number): Promise<Buffer>;
  /** The content of the next entry, which has this name. */
  read(name: string, most: number): Promise<Buffer>;
  unpack(packed: Buffer, most: number, name: string): Promise<Buffer>;
  damaged(reason: string): Error;
}

function createEntries(source: ByteSource, what: string): Entries {
  const damaged = (reason: string) => backupDamaged(what, reason);
  const entries: Entries = {
    damaged,
    async next() {
      const at = source.taken;
      const header = await source.take(BLOCK);
      if (header.length < BLOCK) throw damaged(`it ends after ${source.taken} bytes, in the middle`);
      const entry = parseTarHeader(header);
      if (entry === undefined) throw damaged(`there is no valid header at byte ${at}`);
      return entry;
    },
    async content({ name, size }, most) {
      if (size > most) throw damaged(`${name} is longer than such an entry can be`);
      const content = await source.take(size);
      const padding = await source.take(paddingOf(size).length);
      const isWhole = content.length === size && padding.length === paddingOf(size).length;
      if (!isWhole) throw damaged(`it ends after ${source.taken} bytes, within ${name}`);
      if (!padding.equals(paddingOf(size))) throw damaged(`what follows ${name} is not empty`);
      return content;
    },
    async read(name, most) {
      const entry = await entries.next();
      if (entry.name !== name) throw damaged(`${name} is missing`);
      return entries.content(entry, most);
    },
    async unpack(packed, most, name) {
      try {
        return await decompress(packed, { maxOutputLength: most });
      } catch {
        throw damaged(`${name} cannot be decompressed`);
      }
    },
  };
  return entries;
}

function readTable(entries: Entries, table: string, folder: string) {
  let rows: number | undefined;
  async function* data(): AsyncGenerator<Buffer> {
    const hash = createHash('sha256');
    let [counted, bytes, parts] = [0, 0, 0];
    for (;;) {
      const entry = await entries.next();
      if (entry.name === tableEndName(folder)) {
        const end: TableEnd = { table, rows: counted, bytes, sha256: hash.digest('hex') };
        if (!(await entries.content(entry, MAX_ENTRY.json)).equals(jsonBytes(end)))
          throw entries.damaged(`the rows of ${table} do not agree with their number and hash`);
        rows = counted;
        return;
      }
      if (entry.name !== partName(folder, parts))
        throw entries.damaged(`${partName(folder, parts)} is missing`);
      const part = await entries.unpack(await entries.content(entry, MAX_ENTRY.part), PART_BYTES, entry.name);
      parts += 1;
      hash.update(part);
      counted += countRows(part);
      bytes += part.length;
      yield part;
    }
  }
  return {
    data,
    rows() {
      if (rows === undefined) throw new Error(`the rows of ${table} were not read to their end`);
      return rows;
    },
  };
}

function sha256Of(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Undefined if it is no JSON. */
function parseJson(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString());
  } catch {
    return undefined;
  }
}
