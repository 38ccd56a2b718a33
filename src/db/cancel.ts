import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type PoolClient, type PoolOptions } from 'pg';
import { cancelKeyOf, socketOf } from './pg-internals.ts';

/** Milliseconds after which a connection is cut whose statement was cancelled: its migration waits for something else. */
const GRACE_MS = 1_000;

/** Milliseconds between two looks whether all have ended. */
const LOOK_MS = 20;

/** Milliseconds after which a cancel request is given up. */
const REQUEST_TIMEOUT_MS = 1_000;

/** CancelRequest's code (https://www.postgresql.org/docs/current/protocol-message-formats.html). */
const CANCEL_REQUEST = 80_877_102;

/** The connections that somebody has taken. */
export interface AtWork {
  has(client: PoolClient): boolean;
  clients(): readonly PoolClient[];
}

/** Cancels what connections have at work; those that are not given back within a second are cut. */
export async function cancelClients(
  options: PoolOptions,
  atWork: AtWork,
  behindPooler: boolean,
): Promise<void> {
  const clients = atWork.clients();
  await askToCancel(options, clients, behindPooler);
  const isOver = () => !clients.some((client) => atWork.has(client));
  for (let waited = 0; waited < GRACE_MS && !isOver(); waited += LOOK_MS) await sleep(LOOK_MS);
  for (const client of clients) if (atWork.has(client)) cut(client);
}

/** Cancels what one connection has at work, and cuts it. */
export async function stopClient(
  options: PoolOptions,
  atWork: AtWork,
  client: PoolClient,
  behindPooler: boolean,
): Promise<void> {
  await askToCancel(options, [client], behindPooler);
  if (atWork.has(client)) cut(client);
}

function cut(client: PoolClient): void {
  socketOf(client).destroy();
}

async function askToCancel(
  options: PoolOptions,
  clients: readonly PoolClient[],
  behindPooler: boolean,
): Promise<void> {
  const asked = behindPooler ? requestCancels(options, clients) : cancelBackends(options, clients);
  await asked.catch(() => {});
}

/** On a connection of its own: those of the pool may all be at work. */
async function cancelBackends(options: PoolOptions, clients: readonly PoolClient[]): Promise<void> {
  // The pool hides the password from whoever copies its options.
  const canceller = new Client({ ...options, password: options.password });
  canceller.on('error', () => {});
  await canceller.connect();
  try {
    await canceller.query('SELECT pg_cancel_backend(pid) FROM unnest($1::int[]) AS pid', [
      clients.map((client) => cancelKeyOf(client).processID),
    ]);
  } finally {
    await canceller.end();
  }
}

async function requestCancels(options: PoolOptions, clients: readonly PoolClient[]): Promise<void> {
  const { host = 'localhost', port = 5432 } = options;
  await Promise.allSettled(clients.map((client) => requestCancel({ host, port }, client)));
}

/**
 * Asks a pooler to cancel what a client of it has at work, as the protocol has it: the process id that the client was
 * given is the pooler's own, so pg_cancel_backend would hit nobody, or somebody else. Like libpq's, the request goes over
 * a plain connection of its own; it holds nothing but the key.
 */
async function requestCancel(
  { host, port }: { readonly host: string; readonly port: number },
  client: PoolClient,
): Promise<void> {
  const { processID, secretKey } = cancelKeyOf(client);
  if (processID === null || secretKey === null) return;
  const request = Buffer.alloc(16);
  for (const [index, value] of [request.length, CANCEL_REQUEST, processID, secretKey].entries())
    request.writeInt32BE(value, index * 4);
  const socket = connect(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port });
  try {
    socket.end(request);
    // The pooler closes it when the request has been passed on.
    await once(socket.resume(), 'close', { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
  } finally {
    socket.destroy();
  }
}
