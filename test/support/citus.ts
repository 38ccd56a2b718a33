import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { onTestFinished } from 'vitest';
import { openDatabase } from '../../src/db/open.ts';
import type { Database } from '../../src/db/database.ts';
import { envOf, settingsOf, type TestServerDatabase } from './database.ts';
import { createQueries } from './queries.ts';

/**
 * A database on every node of the cluster whose coordinator TEST_CITUS_URL names. Schema-based sharding is on, and it
 * belongs to a role that is no superuser, as which the nodes must accept each other. Both are dropped when the test ends.
 */
export async function createCitusDatabase(): Promise<TestServerDatabase> {
  const admin = new URL(process.env.TEST_CITUS_URL ?? '');
  const name = `test_${randomBytes(6).toString('hex')}`;
  const workers = await on(admin, async (client) => {
    const { rows } = await client.query<{ host: string; port: number }>(
      `SELECT nodename AS host, nodeport AS port FROM pg_dist_node WHERE noderole = 'primary' AND groupid <> 0`,
    );
    return rows;
  });
  const urlOf = (database: string, node?: { readonly host: string; readonly port: number }) => {
    const url = new URL(admin);
    if (node !== undefined) Object.assign(url, { hostname: node.host, port: String(node.port) });
    url.pathname = database;
    return url;
  };
  const everywhere = [undefined, ...workers];
  // It is created on all nodes, whether Citus would pass it on or not.
  const onAll = async (database: string, ...statements: string[]) => {
    for (const node of everywhere)
      await on(urlOf(database, node), async (client) => {
        await client.query('SET citus.enable_ddl_propagation TO off');
        for (const statement of statements) await client.query(statement);
      });
  };
  const maintained = admin.pathname.slice(1);
  await onAll(maintained, `CREATE ROLE ${name} LOGIN PASSWORD '${name}'`, `CREATE DATABASE ${name}`);
  // Citus does not know the role yet, as in a cluster that has just been made.
  await onAll(
    name,
    'CREATE EXTENSION citus',
    `ALTER SCHEMA public OWNER TO ${name}`,
    `ALTER DATABASE ${name} OWNER TO ${name}`,
  );
  await on(urlOf(name), async (client) => {
    await client.query(`SELECT citus_set_coordinator_host($1, $2)`, [
      admin.hostname,
      Number(admin.port || 5432),
    ]);
    for (const { host, port } of workers) await client.query('SELECT citus_add_node($1, $2)', [host, port]);
    await client.query(`ALTER DATABASE ${name} SET citus.enable_schema_based_sharding TO on`);
  });

  const url = urlOf(name);
  Object.assign(url, { username: name, password: name });
  const opened: Database[] = [];
  const queries = createQueries(url.href);
  onTestFinished(async () => {
    await queries.close();
    for (const database of opened) await database.close();
    await onAll(maintained, `DROP DATABASE ${name} WITH (FORCE)`, `DROP ROLE ${name}`);
  });
  const settings = settingsOf(url);
  return {
    settings,
    url: url.href,
    env: envOf(settings),
    async open(maxConnections = 6, names) {
      const database = await openDatabase(settings, { maxConnections, names });
      opened.push(database);
      return database;
    },
    query: queries.query,
  };
}

async function on<T>(url: URL, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client(url.href);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
