import { randomBytes } from 'node:crypto';
import { Client } from 'pg';

interface Node {
  readonly host: string;
  readonly port: number;
  readonly isCoordinator: boolean;
}

/** A database on every node of a cluster. */
export interface CitusDatabase {
  /** Of the coordinator, as a role that is no superuser and that owns the database. */
  readonly url: string;
  readonly drop: () => Promise<void>;
}

/**
 * Makes a database on every node of a cluster, with schema-based sharding on. It belongs to a new role that is no
 * superuser, as which the nodes must accept each other.
 * @param coordinator the URL of a superuser
 * @param places where a node answers, if not by the name that the nodes have for it; both are host:port
 */
export async function makeCitusDatabase(
  coordinator: string,
  places: Readonly<Record<string, string>> = {},
): Promise<CitusDatabase> {
  const admin = new URL(coordinator);
  const name = `test_${randomBytes(6).toString('hex')}`;
  const nodes = await on(admin, async (client) => {
    const { rows } = await client.query<Node>(
      `SELECT nodename AS host, nodeport AS port, groupid = 0 AS "isCoordinator" FROM pg_dist_node WHERE noderole = 'primary'`,
    );
    return rows;
  });
  const workers = nodes.filter(({ isCoordinator }) => !isCoordinator);
  const urlOf = (database: string, node?: Node) => {
    const url = new URL(admin);
    const name = `${node?.host}:${node?.port}`;
    if (node !== undefined) url.host = places[name] ?? name;
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
    const own = nodes.find(({ isCoordinator }) => isCoordinator);
    await client.query(`SELECT citus_set_coordinator_host($1, $2)`, [
      own?.host ?? admin.hostname,
      own?.port ?? Number(admin.port || 5432),
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
