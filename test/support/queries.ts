import { Pool } from 'pg';

/** Asks one database. */
export interface Queries {
  /** Rows of a query, on a session that nobody else uses meanwhile and that has nothing left of the query before. */
  readonly query: <Row extends object = Record<string, unknown>>(
    text: string,
    values?: unknown[],
  ) => Promise<Row[]>;
  close(): Promise<void>;
}

/** At most so many sessions. The server may end them: a test may have it stopped, or all sessions terminated. */
export function openPool(url: string, max: number): Pool {
  const pool = new Pool({ connectionString: url, max, idleTimeoutMillis: 0, allowExitOnIdle: true });
  pool.on('error', () => {});
  return pool;
}

/** Sessions of a database that stay open between two queries: a new one takes ten times as long as most queries do. */
export function createQueries(url: string): Queries {
  const pool = openPool(url, 50);
  return {
    async query<Row extends object>(text: string, values?: unknown[]) {
      const client = await pool.connect();
      let isClean = false;
      try {
        const { rows } = await client.query<Row>(text, values);
        await client.query('DISCARD ALL');
        isClean = true;
        return rows;
      } finally {
        client.release(!isClean);
      }
    },
    close: () => pool.end(),
  };
}
