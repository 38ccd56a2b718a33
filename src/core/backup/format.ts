/** docs/backup-format.md describes the format. Increased when an older tenantctl could not read what is written. */
export const FORMAT = 1;

/** The first entry: it tells what the file is, in this format and in all later ones. */
export const MARKER = 'tenantctl-backup.json';
export const MANIFEST = 'manifest.json.gz';
/** The last entry. */
export const TRAILER = 'end.json';

/** Bytes of COPY data in one entry, except in a table's last. */
export const PART_BYTES = 1 << 17;

/** Most bytes that a reader takes into memory for an entry, whatever its header says. */
export const MAX_ENTRY = { json: 1 << 16, part: PART_BYTES + (1 << 16), manifest: 1 << 26 } as const;
/** Most bytes of a manifest. */
export const MAX_MANIFEST = 1 << 28;

/** What the marker says. */
export interface Marker {
  readonly format: number;
  /** Hexadecimal SHA-256 of the content of MANIFEST. */
  readonly manifest: string;
}

/** What follows the rows of a table. */
export interface TableEnd {
  readonly table: string;
  readonly rows: number;
  /** Of the COPY data. */
  readonly bytes: number;
  /** Hexadecimal SHA-256 of the COPY data. */
  readonly sha256: string;
}

/** What the trailer says. */
export interface Trailer {
  readonly tables: number;
  readonly rows: number;
  /** Hexadecimal SHA-256 of everything before the trailer's header. */
  readonly sha256: string;
}

/** The folder of a table's entries. @param index in the manifest, from 0 */
export function tableFolder(index: number, table: string): string {
  const safe = table.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 60);
  return `tables/${String(index + 1).padStart(5, '0')}.${safe}`;
}

/** @param index from 0 */
export function partName(folder: string, index: number): string {
  return `${folder}/${String(index + 1).padStart(8, '0')}.copy.gz`;
}

export function tableEndName(folder: string): string {
  return `${folder}/end.json`;
}

export function jsonBytes(value: object): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

/** Rows of COPY's text format: a line feed within a value is escaped (https://www.postgresql.org/docs/current/sql-copy.html). */
export function countRows(data: Uint8Array): number {
  let rows = 0;
  for (let at = data.indexOf(10); at !== -1; at = data.indexOf(10, at + 1)) rows += 1;
  return rows;
}
