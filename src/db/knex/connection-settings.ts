import type { Client, PoolClient } from 'pg';

/**
 * What knex.client.config.connection holds: the address in use. As in Knex, the password is there, and not
 * enumerable; nor is what TLS needs, a key among it.
 */
export function connectionSettings(connection: PoolClient): object {
  const { host, port, user, database, password, ssl } = connection as unknown as Client;
  const settings = { host, port, user, database };
  for (const [name, value] of Object.entries({ password, ssl }))
    if (value !== undefined && value !== null)
      Object.defineProperty(settings, name, { value, writable: true });
  return settings;
}
