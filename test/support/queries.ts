import { Pool } from 'pg';

/** Asks one database. */
export interface Queries {
  /** Rows of a query, on a session that nobody else uses meanwhile and that has nothing left of the query before. */
  readonly query: <Row extends object = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
  ) => Promise<Row[]>;
  close(): Promise<void>;
}

/** Sessions of a database that stay open between two queries: a new one takes ten times as long as most queries do. */
export function createQueries(url: string): Queries {
  const pool = new Pool({ connectionString: url, max: 50, idleTimeoutMillis: 0, allowExitOnIdle: true });
  // The server may end what is idle: a test may have it stopped, or all sessions terminated.
  pool.on('error', () => {});
  return {
    async query<Row extends object>(text: string, values?: readonly unknown[]) {
      const client = await pool.connect();
      let isClean = false;
      try {
        const { rows } = await client.query<Row>(text, values === undefined ? undefined : [...values]);
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
