import type { Database } from '../../db/database.ts';

/** The version from which on tenants are stamped (src/core/stamps/). */
export const STAMPS_SINCE = 2;

/** The version from which on runs are recorded (src/core/runs/). */
export const RUNS_SINCE = 3;

/** The version of the tenantctl schema in this database; 0 where there is none. */
export async function readStateVersion(database: Database): Promise<number> {
  const present = await database.query<{ present: boolean }>(
    `SELECT to_regclass('tenantctl.state_version') IS NOT NULL AS present`,
  );
  return present.rows[0]?.present === true ? readVersion(database) : 0;
}

export async function readVersion(connection: Pick<Database, 'query'>): Promise<number> {
  const { rows } = await connection.query<{ version: number }>(
    'SELECT coalesce(max(version), 0) AS version FROM tenantctl.state_version',
  );
  return rows[0]?.version ?? 0;
}
