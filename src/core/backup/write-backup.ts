import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { PoolClient } from 'pg';
import { copyOut } from '../../db/copy-out.ts';
import { qualified } from '../../db/sql.ts';
import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import { copyOutStatement } from '../content/copy-table.ts';
import { measureContent } from '../content/measure-content.ts';
import { readContent } from '../content/read-content.ts';
import { contentSettings } from '../content/text-form.ts';
import { readShape } from '../shape/read-shapes.ts';
import type { Shape } from '../shape/shape.ts';
import { version } from '../../version.ts';
import { encodeBackup } from './encode-backup.ts';
import { FORMAT } from './format.ts';
import type { Manifest } from './manifest.ts';
import { readRecords } from './read-records.ts';

/** Whose backup is written. */
export interface BackupSubject {
  readonly clerkOrgId: string;
  readonly schema: string;
  /** In the registry, in tenantctl's words. */
  readonly status: string;
  /** Its shape before its foreign keys to shared tables were dropped; read from the schema if absent. */
  readonly shape?: Shape | undefined;
}

type Server = Pick<Database, 'names' | 'serverMajor'>;

export interface BackupSummary {
  readonly manifest: Manifest;
  readonly bytes: number;
  /** Hexadecimal, of the whole file: as `sha256sum` prints it. */
  readonly sha256: string;
  readonly rows: number;
}

/**
 * Writes a backup of a tenant, and ends the stream. It reads in the caller's transaction, which has one snapshot or keeps
 * others from writing, and holds the tenant's lock. The tables stay locked against changes of their form until the
 * transaction ends. Reading goes on as the stream takes it: memory does not depend on the rows.
 * @param onBytes is told how many bytes have been written
 * @throws TenantctlError what readContent and readShape throw; TENANT_CHANGED if a table was emptied by TRUNCATE, or
 *   rewritten, after the snapshot was taken; what the stream or the server answers
 */
export async function writeBackup(
  client: PoolClient,
  server: Server,
  subject: BackupSubject,
  output: Writable,
  onBytes?: (bytes: number) => void,
): Promise<BackupSummary> {
  const manifest = await readManifest(client, server, subject);
  const { schema } = subject;
  async function* tables() {
    for (const table of manifest.content.tables)
      yield { table: table.name, rows: copyOut(client, copyOutStatement(schema, table)) };
    // TRUNCATE and some forms of ALTER TABLE are not transactional: https://www.postgresql.org/docs/current/mvcc-caveats.html
    const measured = manifest.measures.reduce((sum, { rows }) => sum + rows, 0);
    if (size().rows !== measured) throw tenantChanged(subject, measured, size().rows);
  }
  const { chunks, size } = encodeBackup(manifest, tables());
  async function* told() {
    for await (const chunk of chunks) {
      yield chunk;
      onBytes?.(size().bytes);
    }
  }
  await pipeline(told, output);
  return { manifest, ...size() };
}

async function readManifest(client: PoolClient, server: Server, subject: BackupSubject): Promise<Manifest> {
  const { schema } = subject;
  const { names } = server;
  const content = await readContent(client, schema, names);
  const tables = content.tables.map(({ name }) => qualified(schema, name));
  if (tables.length > 0) await client.query(`LOCK TABLE ONLY ${tables.join(', ONLY ')} IN ACCESS SHARE MODE`);
  const shape = subject.shape ?? (await readShape(client, schema, server));
  const records = await readRecords(client, schema, names);
  const measures = await measureContent(client, schema, content);
  await client.query(contentSettings(schema));
  return {
    format: FORMAT,
    ...subject,
    ...records,
    tenantctl: version,
    shape,
    content,
    measures: content.tables.map(({ name }) => {
      const { rows = 0n, hash = '' } = measures.get(name) ?? {};
      return { table: name, rows: Number(rows), hash };
    }),
  };
}

function tenantChanged({ clerkOrgId }: BackupSubject, measured: number, copied: number): TenantctlError {
  return new TenantctlError(
    'TENANT_CHANGED',
    `Tables of "${clerkOrgId}" were emptied or rewritten while they were backed up: ${measured} rows became ${copied}.`,
    { tenant: clerkOrgId, hint: 'Run the command again.' },
  );
}
