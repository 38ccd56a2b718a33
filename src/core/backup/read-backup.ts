import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { TenantctlError } from '../../errors.ts';
import type { ContentTable } from '../content/content.ts';
import { checkOptions } from '../options/check-options.ts';
import { backupDamaged, backupUnreadable } from './backup-errors.ts';
import { decodeBackup } from './decode-backup.ts';
import { isManifest, type Manifest } from './manifest.ts';

/** The path of a file, or a stream. */
export type BackupInput = string | Readable;

export interface BackupReading {
  readonly manifest: Manifest;
  /**
   * The rows of each table of `manifest.content`, in its order, as data for COPY … FROM STDIN. They must be read to
   * their end before the next table. When the iteration ends, the whole backup has been read and checked: commit
   * nothing before that.
   */
  readonly tables: AsyncIterable<{ readonly table: ContentTable; readonly rows: Readable }>;
  /** Closes the input; for a reading that has not come to its end. */
  close(): void;
}

export interface VerifiedBackup {
  readonly manifest: Manifest;
  readonly bytes: number;
  /** Hexadecimal, of the whole file: as `sha256sum` prints it. */
  readonly sha256: string;
  readonly rows: number;
}

/**
 * Reads a backup once, with bounded memory. Of damage before the rows of a table, nothing of that table is handed on.
 * @throws TenantctlError FILE_UNUSABLE, BACKUP_EMPTY, BACKUP_UNRECOGNIZED, BACKUP_NEWER, BACKUP_DAMAGED; reading the
 *   rows and the iteration throw the last as well
 */
export async function readBackup(input: BackupInput): Promise<BackupReading> {
  const { manifest, tables, close } = await openBackup(input);
  return { manifest, tables, close };
}

/**
 * Reads a backup to its end, and checks all of it.
 * @param onBytes is told how many bytes have been read
 * @throws TenantctlError as readBackup
 */
export async function verifyBackup(
  input: BackupInput,
  onBytes?: (bytes: number) => void,
): Promise<VerifiedBackup> {
  const { manifest, tables, size } = await openBackup(input);
  for await (const { rows } of tables) for await (const _ of rows) onBytes?.(size().bytes);
  const total = manifest.measures.reduce((sum, { rows }) => sum + rows, 0);
  return { manifest, ...size(), rows: total };
}

async function openBackup(input: BackupInput) {
  if (!(input instanceof Readable)) checkOptions({ path: input }, 'path');
  const what = typeof input === 'string' ? input : 'The stream';
  const stream = await openInput(input);
  const close = () => void stream.destroy();
  try {
    const decoded = await decodeBackup(readingOf(stream, what), what);
    const { manifest } = decoded;
    if (!isManifest(manifest)) throw backupDamaged(what, 'its manifest is not that of a backup');
    const contents = manifest.content.tables;
    async function* tables() {
      let index = 0;
      for await (const data of decoded.tables(contents.map(({ name }) => name))) {
        const table = contents[index++];
        if (table !== undefined) yield { table, rows: Readable.from(data, { objectMode: false }) };
      }
    }
    return { manifest, tables: tables(), size: decoded.size, close };
  } catch (error) {
    close();
    throw error;
  }
}

async function openInput(input: BackupInput): Promise<Readable> {
  if (typeof input !== 'string') return input;
  const found = await stat(input).catch((error: unknown) => {
    throw backupUnreadable(input, error);
  });
  if (found.isDirectory()) throw backupUnreadable(input, { code: 'EISDIR' });
  return createReadStream(input, { highWaterMark: 1 << 18 });
}

async function* readingOf(stream: Readable, what: string): AsyncGenerator<Uint8Array> {
  try {
    yield* stream;
  } catch (error) {
    throw error instanceof TenantctlError ? error : backupUnreadable(what, error);
  }
}
