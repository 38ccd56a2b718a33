import { Pool } from 'pg';

export interface Queries {
  /** Runs a query on a session that nobody else uses and that is reset. */
  readonly query: <Row extends object = Record<string, unknown>>(
    text: string,
    values?: unknown[],
  ) => Promise<Row[]>;
  close(): Promise<void>;
}

/** A pool whose sessions the server may end: a test may stop it or terminate all sessions. */
export function openPool(url: string, max: number): Pool {
  const pool = new Pool({ connectionString: url, max, idleTimeoutMillis: 0, allowExitOnIdle: true });
  pool.on('error', () => {});
  return pool;
}

/** Sessions that stay open between queries: opening one takes ten times as long as most queries. */
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
