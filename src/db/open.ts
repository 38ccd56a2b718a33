import { refuseOldNode } from '../node-version.ts';
import { checkSettings } from './check-settings.ts';
import { openServer } from './open-server.ts';
import type { Database, DatabaseSettings, PoolOptions } from './database.ts';

/**
 * Opens a database, on a server or embedded. The caller closes it; withDatabase does both.
 * @throws TenantctlError USAGE for a wrong type; CONFIG_INVALID for unusable names, or an old Node.js, on which
 *   calls would never end; as openServer does; EMBEDDED_UNAVAILABLE or LOCK_TIMEOUT for an embedded one
 */
export async function openDatabase(settings: DatabaseSettings, options: PoolOptions): Promise<Database> {
  checkSettings(settings, options);
  refuseOldNode();
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
