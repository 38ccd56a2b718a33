import type { PoolClient, QueryResult, QueryResultRow } from 'pg';
import { setPipelining, socketOf } from './pg-internals.ts';
import { BEGIN, selectWithSettings, type TransactionSettings } from './transaction.ts';
import type { Database } from './database.ts';

type Server = Pick<Database, 'acceptsScripts' | 'deadClientSettings' | 'behindPooler'>;

/**
 * Runs one statement in a transaction of its own with tenantctl's settings: role and database may have others,
 * and through a pooler a session cannot keep them. One round trip, if the server accepts scripts.
 */
export async function ownQuery<Row extends QueryResultRow>(
  client: PoolClient,
  server: Server,
  settings: TransactionSettings,
  text: string,
  values: readonly unknown[] = [],
): Promise<QueryResult<Row>> {
  const begin = `${BEGIN};\n${selectWithSettings(server, settings, 'true')}`;
  if (!server.acceptsScripts) {
    try {
      await client.query(begin);
      return await client.query<Row>(text, [...values]);
    } finally {
      // After an error, COMMIT rolls back.
      await client.query('COMMIT');
    }
  }
  const socket = socketOf(client);
  setPipelining(client, true);
  socket.cork();
  const begun = client.query(begin);
  const answered = client.query<Row>(text, [...values]);
  const ended = client.query('COMMIT');
  socket.uncork();
  const all = await Promise.allSettled([begun, answered, ended]);
  setPipelining(client, false);
  const failure = all.find((one) => one.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
  return answered;
}
