import { randomBytes } from 'node:crypto';
import { Client } from 'pg';

/** A database on every node of a cluster. */
export interface CitusDatabase {
  /** Of the coordinator, as a role that is no superuser and that owns the database. */
  readonly url: string;
  drop(): Promise<void>;
}

/**
 * Makes a database on every node of a cluster, with schema-based sharding on. It belongs to a new role that is no
 * superuser, as which the nodes must accept each other.
 * @param coordinator the URL of a superuser
 */
export async function makeCitusDatabase(coordinator: string): Promise<CitusDatabase> {
  const admin = new URL(coordinator);
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
  return {
    url: url.href,
    drop: () => onAll(maintained, `DROP DATABASE ${name} WITH (FORCE)`, `DROP ROLE ${name}`),
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
