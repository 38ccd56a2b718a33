import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type Pool, type PoolClient } from 'pg';

/** Milliseconds after which a connection is cut whose statement was cancelled: its migration waits for something else. */
const GRACE_MS = 1_000;

/** Milliseconds after which a cancel request is given up. */
const REQUEST_TIMEOUT_MS = 1_000;

/** CancelRequest's code (https://www.postgresql.org/docs/current/protocol-message-formats.html). */
const CANCEL_REQUEST = 80_877_102;

/** What pg has and its types do not. */
interface Inside {
  readonly processID: number | null;
  readonly secretKey: number | null;
  readonly connection: { readonly stream: Socket };
}

/** Has what clients of a pool have at work end in an error; where it does not within a second, they lose their connections. */
export async function cancelClients(
  pool: Pool,
  inUse: ReadonlySet<PoolClient>,
  behindPooler: boolean,
): Promise<void> {
  const atWork = [...inUse];
  await askToCancel(pool, atWork, behindPooler);
  await sleep(GRACE_MS);
  for (const client of atWork) if (inUse.has(client)) cut(client);
}

/** Has what one client of a pool has at work cancelled, and cuts its connection. */
export async function stopClient(
  pool: Pool,
  inUse: ReadonlySet<PoolClient>,
  client: PoolClient,
  behindPooler: boolean,
): Promise<void> {
  await askToCancel(pool, [client], behindPooler);
  if (inUse.has(client)) cut(client);
}

function cut(client: PoolClient): void {
  inside(client).connection.stream.destroy();
}

async function askToCancel(pool: Pool, clients: readonly PoolClient[], behindPooler: boolean): Promise<void> {
  await (behindPooler ? requestCancels(pool, clients) : cancelBackends(pool, clients)).catch(() => {});
}

/** On a connection of its own: those of the pool may all be at work. */
async function cancelBackends(pool: Pool, clients: readonly PoolClient[]): Promise<void> {
  // The pool hides the password from whoever copies its options.
  const canceller = new Client({ ...pool.options, password: pool.options.password });
  await canceller.connect();
  try {
    await canceller.query('SELECT pg_cancel_backend(pid) FROM unnest($1::int[]) AS pid', [
      clients.map((client) => inside(client).processID),
    ]);
  } finally {
    await canceller.end();
  }
}

async function requestCancels(pool: Pool, clients: readonly PoolClient[]): Promise<void> {
  const { host = 'localhost', port = 5432 } = pool.options;
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
  const { processID, secretKey } = inside(client);
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

function inside(client: PoolClient): Inside {
  return client as PoolClient & Inside;
}
