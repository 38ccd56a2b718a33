import type { PoolClient, QueryResult, QueryResultRow } from 'pg';
import { setPipelining, socketOf } from './pg-internals.ts';
import { BEGIN, selectWithSettings, type TransactionSettings } from './transaction.ts';
import type { Database } from './database.ts';

type Server = Pick<Database, 'acceptsScripts' | 'deadClientSettings' | 'behindPooler'>;

/** A statement of tenantctl's own. */
export interface OwnStatement {
  readonly text: string;
  readonly values?: readonly unknown[] | undefined;
}

/**
 * Runs one statement in a transaction of its own with tenantctl's settings: role and database may have others,
 * and through a pooler a session cannot keep them. One round trip, if the server accepts scripts.
 */
export async function ownQuery<Row extends QueryResultRow>(
  client: PoolClient,
  server: Server,
  settings: TransactionSettings,
  text: string,
  values?: readonly unknown[],
): Promise<QueryResult<Row>> {
  const [answered] = await ownQueries(client, server, settings, [{ text, values }]);
  if (answered?.status !== 'fulfilled') throw answered?.reason;
  return answered.value as QueryResult<Row>;
}

/**
 * Runs statements one after the other, each as ownQuery does, all in one round trip. One that fails does not
 * affect the others.
 * @returns the answers, in the order of the statements
 */
export async function ownQueries(
  client: PoolClient,
  server: Server,
  settings: TransactionSettings,
  statements: readonly OwnStatement[],
): Promise<PromiseSettledResult<QueryResult>[]> {
  // Compiling a statement that runs once takes longer than running it. After an error, COMMIT rolls back.
  const begin = `${BEGIN};\nSET LOCAL jit = off;\n${selectWithSettings(server, settings, 'true')}`;
  if (!server.acceptsScripts) {
    const answers: PromiseSettledResult<QueryResult>[] = [];
    for (const { text, values = [] } of statements) {
      answers.push(...(await Promise.allSettled([askAlone(client, begin, text, values)])));
    }
    return answers;
  }
  const socket = socketOf(client);
  setPipelining(client, true);
  socket.cork();
  const sent = statements.map(async ({ text, values = [] }) => {
    const parts = [client.query(begin), client.query(text, [...values]), client.query('COMMIT')] as const;
    const failure = (await Promise.allSettled(parts)).find(({ status }) => status === 'rejected');
    if (failure?.status === 'rejected') throw failure.reason;
    return parts[1];
  });
  socket.uncork();
  const answers = await Promise.allSettled(sent);
  setPipelining(client, false);
  return answers;
}

async function askAlone(
  client: PoolClient,
  begin: string,
  text: string,
  values: readonly unknown[],
): Promise<QueryResult> {
  try {
    await client.query(begin);
    return await client.query(text, [...values]);
  } finally {
    await client.query('COMMIT');
  }
}
