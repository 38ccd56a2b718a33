import type { VECTOR_EXTENSION_MODES } from '../../limits.ts';
import type { PoolClient } from 'pg';
import { toDatabaseError } from '../../db/database-error.ts';
import { withTransaction } from '../../db/transaction.ts';
import { TenantctlError } from '../../errors.ts';
import type { Observer } from '../report/event.ts';
import type { Database } from '../../db/database.ts';
import { lockKey } from '../../db/advisory-lock.ts';

/** auto: create it if available. require: fail if that is impossible. off: do nothing. */
export type VectorExtensionMode = (typeof VECTOR_EXTENSION_MODES)[number];

export interface VectorExtension {
  /** Undefined if not installed. */
  readonly schema: string | undefined;
  /** The server has its files, so CREATE EXTENSION can work. */
  readonly available: boolean;
}

/** For Database.remember. */
const createAbsence = () => ({ seenAt: -Infinity });

/** @param absentForMs how long the server is not asked again for files that it did not have: it reads all extensions' */
export async function readVectorExtension(database: Database, absentForMs = 0): Promise<VectorExtension> {
  const absence = database.remember(createAbsence);
  const isAbsent = performance.now() - absence.seenAt < absentForMs;
  const hasFiles = isAbsent ? 'false' : `EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')`;
  const { rows } = await database.query<{ schema: string | null; available: boolean }>(
    `SELECT (SELECT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector') AS schema,
            EXISTS (SELECT FROM pg_extension WHERE extname = 'vector') OR ${hasFiles} AS available`,
  );
  const { schema, available = false } = rows[0] ?? {};
  if (!isAbsent && !available) absence.seenAt = performance.now();
  return { schema: schema ?? undefined, available };
}

export const VECTOR_REMEDY = 'CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public;';
export const VECTOR_MOVE_REMEDY = 'ALTER EXTENSION vector SET SCHEMA public;';

/**
 * Creates pgvector in public, once, before any tenant's migrations.
 * @param found if it has been read
 * @throws TenantctlError EXTENSION_UNAVAILABLE in mode 'require' if that fails; mode 'auto' warns
 */
export async function ensureVectorExtension(
  database: Database,
  mode: VectorExtensionMode,
  observe: Observer,
  found?: VectorExtension,
): Promise<void> {
  if (mode === 'off') return;
  const { schema, available } = found ?? (await readVectorExtension(database));
  if (schema === 'public') return;
  const complain = (message: string, hint: string, cause?: unknown) => {
    if (mode === 'require') throw new TenantctlError('EXTENSION_UNAVAILABLE', message, { hint, cause });
    observe({ type: 'warning', message: `${message} ${hint}` });
  };
  if (schema !== undefined)
    return complain(
      `The extension vector is installed in the schema ${schema}, which is not in the tenants' search path.`,
      `Move it, as its owner: ${VECTOR_MOVE_REMEDY}`,
    );
  if (!available) {
    // Silent in mode auto: a migration that needs it will fail with the remedy.
    if (mode === 'auto') return;
    return complain(
      'The server does not have the extension vector.',
      'Install pgvector on the server (https://github.com/pgvector/pgvector#installation), or set VECTOR_EXTENSION=auto.',
    );
  }
  const lock = `SELECT pg_advisory_xact_lock(${lockKey("'extension'")})`;
  await withTransaction(database, {}, [lock], async ({ client }) => {
    await client.query(VECTOR_REMEDY);
  }).catch((error: unknown) => {
    const { message, sqlstate } = toDatabaseError(error);
    // Not every role may create it. A migration that needs it fails with the remedy.
    if (mode === 'auto' && sqlstate === '42501') return;
    complain(
      `The extension vector cannot be created: ${message}.`,
      `Create it as a role that may: ${VECTOR_REMEDY}`,
      error,
    );
  });
}

/** In a transaction that is rolled back. A failure shows in the migration that needs the extension. */
export async function rehearseVectorExtension(client: PoolClient, mode: VectorExtensionMode): Promise<void> {
  if (mode === 'off') return;
  const { rowCount } = await client.query(
    `SELECT FROM pg_available_extensions WHERE name = 'vector' AND installed_version IS NULL`,
  );
  if (rowCount === 0) return;
  await client.query('SAVEPOINT tenantctl_extension');
  await client.query(VECTOR_REMEDY).catch(() => client.query('ROLLBACK TO SAVEPOINT tenantctl_extension'));
}
