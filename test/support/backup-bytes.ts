import { Readable } from 'node:stream';
import { decodeBackup } from '../../src/core/backup/decode-backup.ts';
import { encodeBackup } from '../../src/core/backup/encode-backup.ts';

export type Tables = Readonly<Record<string, readonly string[]>>;

/** The bytes of a backup with these tables, each as chunks of COPY data. */
export async function backupBytes(tables: Tables, manifest: object = { tables: Object.keys(tables) }) {
  async function* rows() {
    for (const [table, chunks] of Object.entries(tables))
      yield { table, rows: Readable.from(chunks.map((chunk) => Buffer.from(chunk))) };
  }
  const { chunks, size } = encodeBackup(manifest, rows());
  const bytes = await bytesOf(chunks);
  return { bytes, size: size() };
}

/** Reads a backup to its end. @param pieces sizes of the chunks in which it arrives, in turn */
export async function readBytes(bytes: Buffer, pieces: readonly number[] = [bytes.length || 1]) {
  function* chunks() {
    for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
      const end = at + (pieces[turn % pieces.length] ?? 1);
      yield bytes.subarray(at, end);
      at = end;
    }
  }
  const backup = await decodeBackup(Readable.from(chunks()), 'acme.tar');
  const names = (backup.manifest as { tables: string[] }).tables;
  const tables: Record<string, string> = {};
  let index = 0;
  for await (const rows of backup.tables(names)) {
    tables[names[index] ?? ''] = (await bytesOf(rows)).toString();
    index += 1;
  }
  return { manifest: backup.manifest, tables, size: backup.size() };
}

async function bytesOf(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
