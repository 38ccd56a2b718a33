import { withConnection } from '../server/connection.ts';

/** The schemas of the registry's first ACTIVE tenants, as a team's own script would read them. */
export async function firstSchemas(url: string, first: number): Promise<string[]> {
  return withConnection(url, async (client) => {
    const { rows } = await client.query<{ schema_name: string }>(
      `SELECT schema_name FROM tenants WHERE status = 'ACTIVE' ORDER BY id LIMIT $1`,
      [first],
    );
    return rows.map(({ schema_name: schema }) => schema);
  });
}
