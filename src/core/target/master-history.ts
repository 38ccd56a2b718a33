import { qualified } from '../../db/sql.ts';
import { EMPTY_HISTORY, lockTableOf, readHistories, type History } from './history.ts';
import type { Database } from '../../db/database.ts';

/** The history of the master schema as it stands; empty where there is none. */
export async function readMasterHistory(database: Database): Promise<History> {
  const { masterHistory: table } = database.names;
  const { rows } = await database.query<{ has_history: boolean; has_lock: boolean }>(
    `SELECT to_regclass($1) IS NOT NULL AS has_history, to_regclass($2) IS NOT NULL AS has_lock`,
    [qualified('public', table), qualified('public', lockTableOf(table))],
  );
  const histories = await readHistories(database, [
    {
      schema: 'public',
      table,
      hasHistory: rows[0]?.has_history ?? false,
      hasLock: rows[0]?.has_lock ?? false,
    },
  ]);
  return histories.get('public') ?? EMPTY_HISTORY;
}
