import { createHash, randomBytes } from 'node:crypto';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { encodeTrailer } from '../../../src/core/backup/encode-backup.ts';
import { jsonBytes, MARKER, PART_BYTES } from '../../../src/core/backup/format.ts';
import { paddingOf, tarHeader } from '../../../src/core/backup/tar-entry.ts';
import { backupBytes, readBytes } from '../../support/backup-bytes.ts';

const run = promisify(execFile);

describe('a backup file', () => {
  test('gives back what was written, however it is cut into chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(
          fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }),
          fc.array(fc.string({ unit: 'binary' })),
          { maxKeys: 4, noNullPrototype: true },
        ),
        fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 5 }),
        async (tables, pieces) => {
          const { bytes, size } = await backupBytes(tables);
          const read = await readBytes(bytes, pieces);
          expect(read.tables).toEqual(
            Object.fromEntries(Object.entries(tables).map(([table, chunks]) => [table, chunks.join('')])),
          );
          const sha256 = createHash('sha256').update(bytes).digest('hex');
          expect(read.size).toEqual({ bytes: bytes.length, sha256 });
          expect(size).toMatchObject({ bytes: bytes.length, sha256 });
        },
      ),
      { numRuns: 60 },
    );
  });

  test('has tables of more than one part, and counts their rows', async () => {
    const line = `${randomBytes(500).toString('hex')}\n`;
    const chunks = Array.from({ length: 3_000 }, () => line);
    const { bytes, size } = await backupBytes({
      notes: [chunks.join('').slice(0, 7), chunks.join('').slice(7)],
    });
    expect((await readBytes(bytes)).tables['notes']).toBe(chunks.join(''));
    expect(size.rows).toBe(3_000);
    expect(3_000 * line.length).toBeGreaterThan(2 * PART_BYTES);
  });

  test('can be read with tar and gzip', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'backup-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const { bytes } = await backupBytes({ 'so/so': ['1\tx\n', '2\ty\n'] });
    await writeFile(join(folder, 'acme.tar'), bytes);
    await run('tar', ['-xf', 'acme.tar'], { cwd: folder });
    expect(await readdir(join(folder, 'tables'))).toEqual(['00001.so_so']);
    const rows = gunzipSync(await readFile(join(folder, 'tables/00001.so_so/00000001.copy.gz'))).toString();
    expect(rows).toBe('1\tx\n2\ty\n');
  });
});

describe('a damaged backup file', () => {
  const tables = { users: ['1\tAda\n2\tGrace\n'], empty: [], 'odd name': ['\\N\n'] };

  /** How these bytes are refused; `read` if they are not. */
  const refusal = (bytes: Buffer) =>
    readBytes(bytes).then(
      () => 'read',
      ({ code }: { code?: string }) => code,
    );

  test('is refused whichever byte is different', async () => {
    const { bytes } = await backupBytes(tables);
    const codes = new Set<string | undefined>();
    for (const [at, byte] of bytes.entries()) {
      // Most of the file are zeros that fill up blocks.
      if (byte === 0 && at % 16 !== 0) continue;
      const damaged = Buffer.from(bytes);
      damaged[at] = byte ^ (1 << ((at * 7) % 8));
      codes.add(await refusal(damaged));
    }
    expect(codes).toEqual(new Set(['BACKUP_DAMAGED', 'BACKUP_UNRECOGNIZED']));
  });

  test('is refused wherever it ends', async () => {
    const { bytes } = await backupBytes(tables);
    const codes = new Set<string | undefined>();
    for (let length = 1; length < bytes.length; length += 13)
      codes.add(await refusal(bytes.subarray(0, length)));
    expect(codes).toEqual(new Set(['BACKUP_DAMAGED', 'BACKUP_UNRECOGNIZED']));
  });

  test('is refused if something was added, removed, doubled or moved', async () => {
    const { bytes } = await backupBytes(tables);
    const block = fc.nat(bytes.length / 512 - 1);
    await fc.assert(
      fc.asyncProperty(block, block, fc.integer({ min: 1, max: 4 }), async (from, to, count) => {
        const moved = bytes.subarray(from * 512, (from + count) * 512);
        const [head, tail] = [bytes.subarray(0, to * 512), bytes.subarray(to * 512)];
        const without = Buffer.concat([bytes.subarray(0, from * 512), bytes.subarray((from + count) * 512)]);
        for (const changed of [Buffer.concat([head, moved, tail]), without])
          expect(await refusal(changed)).toMatch(/^BACKUP_/);
      }),
      { numRuns: 100 },
    );
    await expect(readBytes(Buffer.concat([bytes, Buffer.alloc(512)]))).rejects.toMatchObject({
      code: 'BACKUP_DAMAGED',
      message: 'acme.tar is damaged or incomplete: something follows its end.',
    });
  });

  test('cannot make the reader take more memory than an entry may have', async () => {
    const { bytes } = await backupBytes(tables);
    const at = bytes.indexOf('00000001.copy.gz') - 'tables/00001.users/'.length;
    const huge = tarHeader('tables/00001.users/00000001.copy.gz', 0o77777777777);
    const damaged = Buffer.concat([bytes.subarray(0, at), huge, bytes.subarray(at + 512)]);
    await expect(readBytes(damaged)).rejects.toMatchObject({
      message: expect.stringContaining('is longer than such an entry can be'),
    });
  });
});

describe('a file that is no backup of this format', () => {
  const marker = (value: object) => {
    const content = jsonBytes(value);
    return Buffer.concat([tarHeader(MARKER, content.length), content, paddingOf(content.length)]);
  };

  test.each([
    ['an empty file', Buffer.alloc(0), 'BACKUP_EMPTY', 'acme.tar is empty.'],
    [
      'another file',
      Buffer.from('-- PostgreSQL database dump\n'),
      'BACKUP_UNRECOGNIZED',
      'acme.tar is not a backup that tenantctl has written.',
    ],
    [
      'another tar file',
      encodeTrailer({ tables: 0, rows: 0, sha256: '' }),
      'BACKUP_UNRECOGNIZED',
      'acme.tar is not a backup that tenantctl has written.',
    ],
    [
      'a newer format',
      marker({ format: 2, tables: 'elsewhere' }),
      'BACKUP_NEWER',
      'acme.tar has format 2; this tenantctl reads formats up to 1.',
    ],
  ])('is refused: %s', async (_, bytes, code, message) => {
    await expect(readBytes(bytes)).rejects.toMatchObject({ code, message });
  });
});
