import { createHash } from 'node:crypto';
import { Client } from 'pg';

/** The schemas of a fleet of that size, named as tenantctl names them. */
export function fleetSchemas(tenants: number): string[] {
  return Array.from(
    { length: tenants },
    (_, index) => `tid_${createHash('md5').update(organization(index)).digest('hex').slice(0, 10)}`,
  );
}

function organization(index: number): string {
  return `org_bench_${index}`;
}

/** Runs `use` on a connection of its own. */
export async function withConnection<T>(url: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

export function databaseUrl(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = database;
  return url.href;
}

/** An empty schema for every tenant, and where there is a registry a row for each, ACTIVE. */
export async function prepareFleet(url: string, schemas: readonly string[]): Promise<void> {
  await withConnection(url, async (client) => {
    const values = schemas.map((schema, index) => `('${organization(index)}', '${schema}', 'ACTIVE')`);
    await client.query(
      `CREATE TABLE IF NOT EXISTS tenants (clerk_org_id text UNIQUE, schema_name text UNIQUE, status text);
       INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ${values.join(', ')};
       ${schemas.map((schema) => `CREATE SCHEMA ${schema}`).join(';\n')}`,
    );
    await client.query('ANALYZE');
  });
}

/** What a fleet holds, summed over its tenants. */
export interface Census {
  readonly tables: number;
  readonly indexes: number;
  readonly foreignKeys: number;
  readonly addedColumns: number;
  readonly historyRows: number;
}

/** Per tenant: three tables and Knex's two; their primary keys, one plain index and two unique ones. */
export function expectedCensus(tenants: number, work: 'init' | 'add'): Census {
  return {
    tables: 5 * tenants,
    indexes: 8 * tenants,
    foreignKeys: tenants,
    addedColumns: work === 'init' ? 0 : tenants,
    historyRows: (work === 'init' ? 3 : 4) * tenants,
  };
}

const HISTORIES_PER_QUERY = 250;

/** Counts what is really there, so that no time is quoted for work that was not done. */
export async function takeCensus(url: string, schemas: readonly string[]): Promise<Census> {
  return withConnection(url, async (client) => {
    const { rows } = await client.query<Omit<Census, 'historyRows'>>(
      `WITH fleet AS (SELECT oid FROM pg_namespace WHERE nspname = ANY ($1))
       SELECT (SELECT count(*)::int FROM pg_class WHERE relkind = 'r' AND relnamespace IN (TABLE fleet)) AS tables,
              (SELECT count(*)::int FROM pg_class WHERE relkind = 'i' AND relnamespace IN (TABLE fleet)) AS indexes,
              (SELECT count(*)::int FROM pg_constraint
               WHERE contype = 'f' AND connamespace IN (TABLE fleet)) AS "foreignKeys",
              (SELECT count(*)::int FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
               WHERE a.attname = 'model' AND c.relnamespace IN (TABLE fleet)) AS "addedColumns"`,
      [schemas],
    );
    const [catalog] = rows;
    if (catalog === undefined) throw new Error('the census returned nothing');
    let historyRows = 0;
    for (let at = 0; at < schemas.length; at += HISTORIES_PER_QUERY) {
      const parts = schemas
        .slice(at, at + HISTORIES_PER_QUERY)
        .map((schema) => `SELECT count(*) AS n FROM ${schema}.knex_migrations_tenant`);
      const counted = await client.query<{ n: number }>(
        `SELECT sum(n)::int AS n FROM (${parts.join(' UNION ALL ')}) counted`,
      );
      historyRows += counted.rows[0]?.n ?? 0;
    }
    return { ...catalog, historyRows };
  });
}
