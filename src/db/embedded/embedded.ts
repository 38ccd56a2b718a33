import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type * as Pglite from '@electric-sql/pglite';
import { TenantctlError } from '../../errors.ts';
import { importModule } from '../../import-module.ts';
import type { Names } from '../../names.ts';
import { openServer } from '../open-server.ts';
import { lockFolder } from './folder-lock.ts';
import type { Database, EmbeddedSettings } from '../database.ts';

/**
 * Opens the embedded PostgreSQL (PGlite, with pgvector) in a folder or in memory, behind a loopback socket, so
 * that callers use it like any server. All connections share one session, so the pool has one connection.
 * @throws TenantctlError EMBEDDED_UNAVAILABLE if the optional packages are not installed or the folder is
 *   unusable, LOCK_TIMEOUT if another process uses the folder
 */
export async function openEmbedded(settings: EmbeddedSettings, names?: Names): Promise<Database> {
  const { PGlite, extensions, PGLiteSocketServer } = await loadPglite();
  const { directory, lockWaitMs } = settings;
  const opened: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const step of opened.toReversed()) await step();
  };
  const create = (dataDir?: string) =>
    PGlite.create({ ...(dataDir !== undefined && { dataDir }), extensions });
  try {
    if (directory !== undefined) opened.push(await lockFolder(directory, lockWaitMs));
    const engine = directory === undefined ? await create() : await finishedOrAnew(directory, create);
    opened.push(() => engine.close());
    const server = new PGLiteSocketServer({ db: engine, host: '127.0.0.1', port: 0, maxConnections: 4 });
    await server.start();
    opened.push(() => server.stop());
    return await openServer(
      {
        host: '127.0.0.1',
        port: Number(server.getServerConn().split(':').at(-1)),
        user: 'postgres',
        database: 'postgres',
        ssl: false,
        connectTimeoutMs: 30_000,
      },
      { maxConnections: 1, sharedSession: true, names, afterClose: close },
    );
  } catch (error) {
    await close();
    throw asUnavailable(error, directory);
  }
}

/** Opens or creates a folder's database files. A marker file reveals a killed creation, which is repeated. */
async function finishedOrAnew<T>(directory: string, open: (dataDir: string) => Promise<T>): Promise<T> {
  const dataDir = join(directory, 'pgdata');
  const unfinished = join(directory, 'unfinished');
  if (existsSync(unfinished)) await rm(dataDir, { recursive: true, force: true });
  const isNew = !existsSync(dataDir);
  if (isNew) await writeFile(unfinished, '');
  const engine = await open(dataDir);
  if (isNew) await rm(unfinished, { force: true });
  return engine;
}

/** Each of these modules exports one extension, under its name. */
const EXTENSIONS = [
  '@electric-sql/pglite-pgvector',
  ...`btree_gin btree_gist citext cube earthdistance fuzzystrmatch hstore intarray ltree pg_trgm pgcrypto tablefunc unaccent uuid_ossp`
    .split(' ')
    .map((name) => `@electric-sql/pglite/contrib/${name}`),
];

async function loadPglite() {
  try {
    const [{ PGlite }, { PGLiteSocketServer }, ...extensions] = await Promise.all([
      importModule('@electric-sql/pglite') as Promise<typeof Pglite>,
      import('@electric-sql/pglite-socket'),
      ...EXTENSIONS.map(importModule),
    ]);
    return { PGlite, PGLiteSocketServer, extensions: Object.assign({}, ...extensions) as Pglite.Extensions };
  } catch (error) {
    throw new TenantctlError(
      'EMBEDDED_UNAVAILABLE',
      'The packages of the embedded PostgreSQL are not installed.',
      {
        hint: 'Install them: npm install @electric-sql/pglite @electric-sql/pglite-pgvector',
        cause: error,
      },
    );
  }
}

function asUnavailable(error: unknown, directory: string | undefined): TenantctlError {
  if (error instanceof TenantctlError) return error;
  const where = directory ?? 'memory';
  return new TenantctlError(
    'EMBEDDED_UNAVAILABLE',
    `The embedded database in ${where} cannot be opened: ${messageOf(error)}`,
    {
      hint:
        directory === undefined
          ? undefined
          : 'Check that the folder may be written. A folder left broken can be deleted; it holds nothing but this database.',
      cause: error,
    },
  );
}

// Emscripten throws no Error: https://emscripten.org/docs/api_reference/Filesystem-API.html
function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  const { name, errno } = (error ?? {}) as { readonly name?: string; readonly errno?: number };
  return name === undefined ? String(error) : `${name} ${errno ?? ''}`.trim();
}
