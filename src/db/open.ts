import { TenantctlError } from '../errors.ts';
import { DEFAULT_NAMES, problemsOf } from '../names.ts';
import { openServer } from './open-server.ts';
import type { Database, DatabaseSettings, PoolOptions } from './database.ts';

/**
 * Opens a database, on a server or embedded. The caller closes it; withDatabase does both.
 * @throws TenantctlError as openServer does; EMBEDDED_UNAVAILABLE or LOCK_TIMEOUT for an embedded one
 */
export async function openDatabase(settings: DatabaseSettings, options: PoolOptions): Promise<Database> {
  const problems = problemsOf(options.names ?? DEFAULT_NAMES);
  if (problems.length > 0) {
    throw new TenantctlError(
      'CONFIG_INVALID',
      'The names of the registry or of the history tables are not usable.',
      { details: problems.map(({ variable, message }) => `${variable}: ${message}`) },
    );
  }
  if (settings.kind === 'server') return openServer(settings, options);
  const { openEmbedded } = await import('./embedded/embedded.ts');
  return openEmbedded(settings, options.names);
}

/** Runs `use` on an open database and always closes it. */
export async function withDatabase<T>(
  settings: DatabaseSettings,
  options: PoolOptions,
  use: (database: Database) => Promise<T>,
): Promise<T> {
  const database = await openDatabase(settings, options);
  try {
    return await use(database);
  } finally {
    await database.close();
  }
}
