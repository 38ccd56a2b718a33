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
 * Runs statements in order and in one round trip. They share a transaction; a text that starts with SET LOCAL has one of
 * its own, so that its settings are not those of others. If one fails, which rolls back those that share its
 * transaction, each of these is run again by itself: one that fails does not affect the others. Nothing is run again
 * that the server has cancelled.
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
  return answersOf(client, begin, inTransactions(statements));
}

/** The answers of statements, in order, from transactions of which those that fail are split. */
async function answersOf(
  client: PoolClient,
  begin: string,
  transactions: readonly (readonly OwnStatement[])[],
): Promise<PromiseSettledResult<QueryResult>[]> {
  const answers: PromiseSettledResult<QueryResult>[] = [];
  for (const [at, answer] of (await pipelined(client, begin, transactions)).entries()) {
    const statements = transactions[at] ?? [];
    if (answer.status === 'fulfilled')
      answers.push(...answer.value.map((value) => ({ status: 'fulfilled', value }) as const));
    else if (statements.length === 1 || isCancelled(answer.reason))
      answers.push(...statements.map(() => answer));
    else
      answers.push(
        ...(await answersOf(
          client,
          begin,
          statements.map((statement) => [statement]),
        )),
      );
  }
  return answers;
}

function inTransactions(statements: readonly OwnStatement[]): (readonly OwnStatement[])[] {
  const transactions: OwnStatement[][] = [];
  let isOpen = false;
  for (const statement of statements) {
    const isAlone = statement.text.startsWith('SET LOCAL');
    if (isOpen && !isAlone) transactions.at(-1)?.push(statement);
    else transactions.push([statement]);
    isOpen = !isAlone;
  }
  return transactions;
}

/** The class of errors by which an operator intervenes: a cancelled statement, a server that shuts down. */
function isCancelled(reason: unknown): boolean {
  return reason instanceof DatabaseError && reason.code?.startsWith('57') === true;
}

/** @returns for each transaction the answers of its statements, or why it was rolled back */
async function pipelined(
  client: PoolClient,
  begin: string,
  transactions: readonly (readonly OwnStatement[])[],
): Promise<PromiseSettledResult<QueryResult[]>[]> {
  const socket = socketOf(client);
  setPipelining(client, true);
  socket.cork();
  const sent = transactions.map((statements) => inTransaction(client, begin, statements));
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
