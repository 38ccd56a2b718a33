import { DatabaseError, type PoolClient, type QueryResult, type QueryResultRow } from 'pg';
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
 * Runs statements in order, in one transaction and one round trip. If one fails, which rolls back all of them, each is
 * run again in a transaction of its own: one that fails does not affect the others. Nothing is run again that the
 * server has cancelled.
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
  const sendIn = (transactions: readonly (readonly OwnStatement[])[]) =>
    pipelined(client, () => transactions.map((some) => inTransaction(client, begin, some)));
  const [answer] = await sendIn([statements]);
  if (answer?.status === 'fulfilled') return answer.value.map((value) => ({ status: 'fulfilled', value }));
  const isCancelled = answer?.reason instanceof DatabaseError && answer.reason.code?.startsWith(CANCELLED);
  if (isCancelled === true || statements.length === 1)
    return statements.map(() => answer as PromiseRejectedResult);
  const each = await sendIn(statements.map((statement) => [statement]));
  return each.map((one) =>
    one.status === 'fulfilled' ? { ...one, value: one.value[0] as QueryResult } : one,
  );
}

/** The class of errors by which an operator intervenes: a cancelled statement, a server that shuts down. */
const CANCELLED = '57';

async function pipelined<T>(
  client: PoolClient,
  send: () => readonly Promise<T>[],
): Promise<PromiseSettledResult<T>[]> {
  const socket = socketOf(client);
  setPipelining(client, true);
  socket.cork();
  const sent = send();
  socket.uncork();
  const answers = await Promise.allSettled(sent);
  setPipelining(client, false);
  return answers;
}

async function inTransaction(
  client: PoolClient,
  begin: string,
  statements: readonly OwnStatement[],
): Promise<QueryResult[]> {
  const begun = client.query(begin);
  const sent = statements.map(async ({ text, values = [] }) => client.query(text, [...values]));
  const answers = await Promise.allSettled([begun, ...sent, client.query('COMMIT')]);
  const failure = answers.find(({ status }) => status === 'rejected');
  if (failure?.status === 'rejected') throw failure.reason;
  return Promise.all(sent);
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
