import { join } from 'node:path';
import { TenantctlError } from '../errors.ts';
import { openServer, type Database, type EmbeddedSettings } from './connection.ts';
import { lockFolder } from './folder-lock.ts';
import { setTiering } from './wasm.ts';

/**
 * Opens the embedded PostgreSQL (PGlite, with pgvector) in a folder, behind a socket on the loopback interface, so
 * that everything above talks to it as to any server. PGlite is one session that all connections share; one
 * connection is therefore all that the pool opens.
 *
 * @throws TenantctlError EMBEDDED_UNAVAILABLE when the optional packages are not installed or the folder cannot be
 *   used, LOCK_TIMEOUT when another process is using the folder
 */
export async function openEmbedded(settings: EmbeddedSettings): Promise<Database> {
  const { PGlite, vector, contrib, PGLiteSocketServer } = await loadPglite();
  const unlock = await lockFolder(settings.directory, settings.lockWaitMs).catch((error: unknown) => {
    throw asUnavailable(error, settings.directory);
  });
  const opened: (() => Promise<void>)[] = [unlock];
  const close = async () => {
    for (const step of opened.toReversed()) await step();
  };
  try {
    setTiering('whereItPays');
    const engine = await PGlite.create({
      dataDir: join(settings.directory, 'pgdata'),
      extensions: { vector, ...contrib },
    });
    opened.push(() => engine.close());
    const server = new PGLiteSocketServer({ db: engine, host: '127.0.0.1', port: 0, maxConnections: 4 });
    await server.start();
    opened.push(() => server.stop());
    const database = await openServer(
      {
        host: '127.0.0.1',
        port: Number(server.getServerConn().split(':').at(-1)),
        user: 'postgres',
        database: 'postgres',
        ssl: false,
        connectTimeoutMs: 30_000,
      },
      { maxConnections: 1, sharedSession: true },
    );
    opened.push(() => database.close());
    return { ...database, close };
  } catch (error) {
    await close();
    throw asUnavailable(error, settings.directory);
  }
}

async function loadPglite() {
  try {
    const [core, vector, socket, pgcrypto, uuid, citext, trigram] = await Promise.all([
      import('@electric-sql/pglite'),
      import('@electric-sql/pglite-pgvector'),
      import('@electric-sql/pglite-socket'),
      import('@electric-sql/pglite/contrib/pgcrypto'),
      import('@electric-sql/pglite/contrib/uuid_ossp'),
      import('@electric-sql/pglite/contrib/citext'),
      import('@electric-sql/pglite/contrib/pg_trgm'),
    ]);
    return {
      PGlite: core.PGlite,
      PGLiteSocketServer: socket.PGLiteSocketServer,
      vector: vector.vector,
      contrib: {
        pgcrypto: pgcrypto.pgcrypto,
        uuid_ossp: uuid.uuid_ossp,
        citext: citext.citext,
        pg_trgm: trigram.pg_trgm,
      },
    };
  } catch (error) {
    throw new TenantctlError(
      'EMBEDDED_UNAVAILABLE',
      'The packages of the embedded PostgreSQL are not installed.',
      {
        hint: 'Install them: npm install @electric-sql/pglite @electric-sql/pglite-pgvector @electric-sql/pglite-socket',
        cause: error,
      },
    );
  }
}

function asUnavailable(error: unknown, directory: string): TenantctlError {
  if (error instanceof TenantctlError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new TenantctlError(
    'EMBEDDED_UNAVAILABLE',
    `The embedded database in ${directory} cannot be opened: ${message}`,
    {
      hint: 'Check that the folder may be written. A folder left broken can be deleted; it holds nothing but this database.',
      cause: error,
    },
  );
}
