import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { PassThrough, type Readable } from 'node:stream';
import type { Database } from '../../../db/database.ts';
import { toDatabaseError } from '../../../db/database-error.ts';
import { waitForStream } from '../../../db/dead-client.ts';
import { keepingLock } from '../../../db/lock-keeper.ts';
import { TenantctlError } from '../../../errors.ts';
import type { Manifest } from '../../backup/manifest.ts';
import { readBackup, verifyBackup, type BackupReading } from '../../backup/read-backup.ts';
import { writeBackup } from '../../backup/write-backup.ts';
import { trySnapshotUnderLock } from '../../commands/try-under-lock.ts';
import { findTenants, type Tenant } from '../../registry/registry.ts';
import { assertRegistry } from '../../registry/registry-shape.ts';
import { createRunContext } from '../../run/run-context.ts';
import { assertFinished } from '../../state/unfinished-verb.ts';

/** A backup to restore from. */
export interface RestoreSource {
  /** Names it in messages. */
  readonly what: string;
  readonly manifest: Manifest;
  /** Of a file, hexadecimal. */
  readonly sha256?: string;
  /** The rows, from the first one. A stream can be opened once. */
  readonly open: () => Promise<BackupReading>;
  readonly mayReopen: boolean;
  /** Ends what is still being read. */
  readonly close: () => Promise<void>;
}

/**
 * A file, which is verified to its end before anything of it is used; or a pipe, such as a shell's <(command), which is
 * read once like a stream.
 * @throws TenantctlError as verifyBackup
 */
export async function openPath(path: string, signal?: AbortSignal): Promise<RestoreSource> {
  const isPipe = await stat(path).then(
    (found) => found.isFIFO(),
    () => false,
  );
  return isPipe ? openStream(createReadStream(path), { what: path, signal }) : openFile(path);
}

/** A file, which is verified to its end before anything of it is used. @throws TenantctlError as verifyBackup */
export async function openFile(path: string): Promise<RestoreSource> {
  const { manifest, sha256 } = await verifyBackup(path);
  return {
    what: path,
    manifest,
    sha256,
    open: () => readBackup(path),
    mayReopen: true,
    close: () => Promise.resolve(),
  };
}

interface Input {
  /** Names it in messages. */
  readonly what?: string;
  /** Ends the reading: whoever writes the stream may never go on. */
  readonly signal?: AbortSignal | undefined;
}

/** A stream, whose end is verified before what was read of it is committed. @throws TenantctlError as readBackup; INTERRUPTED */
export async function openStream(
  stream: Readable,
  { what = 'the backup', signal }: Input = {},
): Promise<RestoreSource> {
  const stop = () => void stream.destroy(stopped(what));
  if (signal?.aborted === true) stop();
  signal?.addEventListener('abort', stop, { once: true });
  const reading = await readBackup(stream);
  return {
    what,
    manifest: reading.manifest,
    open: () => Promise.resolve(reading),
    mayReopen: false,
    close: () => {
      signal?.removeEventListener('abort', stop);
      return Promise.resolve(reading.close());
    },
  };
}

function stopped(what: string): TenantctlError {
  return new TenantctlError(
    'INTERRUPTED',
    `The run was stopped while ${what} was read. Nothing of it was kept.`,
  );
}

/**
 * A tenant of another database, read in one READ ONLY snapshot under its lock there, as the stream of its backup.
 * @param name an organization id or a schema name
 * @throws TenantctlError REGISTRY_ABSENT, REGISTRY_INVALID, TENANT_UNKNOWN, LOCK_TIMEOUT, and what writeBackup throws
 */
export async function openTenant(database: Database, name: string): Promise<RestoreSource> {
  await assertRegistry(database).catch((error: unknown) => {
    throw unmanagedThere(error);
  });
  const [tenant] = await findTenants(database, [name]).catch((error: unknown) => {
    throw unknownThere(name, error);
  });
  if (tenant === undefined) throw new Error('findTenants throws if there is none');
  assertFinished(tenant.unfinished);
  const pipe = new PassThrough({ highWaterMark: 1 << 20 });
  const writing = writeTo(pipe, database, tenant);
  const close = async () => {
    pipe.destroy();
    await writing;
  };
  try {
    const source = await openStream(pipe, { what: `"${tenant.clerkOrgId}" of the other database` });
    return { ...source, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Writes the backup of a tenant. What fails is thrown to whoever reads it. */
async function writeTo(
  pipe: PassThrough,
  database: Database,
  tenant: Pick<Tenant, 'clerkOrgId' | 'schema' | 'status'>,
): Promise<void> {
  const attempt = await trySnapshotUnderLock(
    createRunContext(database),
    tenant.schema,
    async (transaction) => {
      await transaction.client.query(waitForStream(database.deadClientSettings));
      const { client } = transaction;
      await keepingLock(client, () => writeBackup(client, database, tenant, pipe));
      transaction.abandon();
      return { kind: 'done', done: undefined };
    },
    (error) => toDatabaseError(error, { tenant: tenant.clerkOrgId }),
  );
  if (attempt.kind === 'failed') pipe.destroy(attempt.error);
  if (attempt.kind === 'busy') pipe.destroy(atWork(tenant.clerkOrgId));
}

function atWork(tenant: string): TenantctlError {
  return new TenantctlError('LOCK_TIMEOUT', `Another run is at work on "${tenant}" in the other database.`, {
    tenant,
    hint: 'Run the command again when it has ended.',
  });
}

function unmanagedThere(cause: unknown): unknown {
  if (!(cause instanceof TenantctlError) || !['REGISTRY_ABSENT', 'REGISTRY_INVALID'].includes(cause.code))
    return cause;
  return new TenantctlError(cause.code, `In the other database: ${cause.message}`, {
    hint: 'Give the URL of a database that tenantctl manages, with the same names of the registry and the histories.',
    cause,
  });
}

function unknownThere(name: string, cause: unknown): unknown {
  if (!(cause instanceof TenantctlError) || cause.code !== 'TENANT_UNKNOWN') return cause;
  return new TenantctlError('TENANT_UNKNOWN', `The other database has no tenant "${name}".`, {
    tenant: name,
    hint: 'Give an organization id or a schema name of the registry there.',
    cause,
  });
}
