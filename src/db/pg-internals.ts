import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Connection, type ClientBase } from 'pg';
import type { ServerSettings } from './database.ts';

/**
 * What pg has and its types lack: the only file that depends on pg's internals.
 * test/integration/db/pg-internals.test.ts fails where a release of pg changes one of them.
 */
interface Internals {
  readonly connection: { readonly stream: Socket };
  readonly processID: number | null;
  readonly secretKey: number | null;
  readonly password?: unknown;
  pipeline: boolean;
  ref(): void;
  unref(): void;
}

interface ConnectionInternals {
  connect(portOrPath: number | string, host?: string): void;
  requestSsl(): void;
  cancel(processID: number, secretKey: number): void;
}

/** The socket to the server; a TLSSocket if the connection is encrypted. */
export function socketOf(client: ClientBase): Socket | TLSSocket {
  return internals(client).connection.stream;
}

/** The process id that the server, or a pooler, gave to this client. */
export function processIdOf(client: ClientBase): number | null {
  return internals(client).processID;
}

/** The password that was used: if none was given, pg looks in PGPASSWORD and ~/.pgpass. */
export function passwordOf(client: ClientBase): string | undefined {
  const { password } = internals(client);
  return typeof password === 'string' ? password : undefined;
}

/** Turns pipeline mode on or off. No query may be in flight: pg reads the property whenever it sends. */
export function setPipelining(client: ClientBase, on: boolean): void {
  internals(client).pipeline = on;
}

/** Whether the connection keeps the process from ending. */
export function keepAlive(client: ClientBase, on: boolean): void {
  if (on) internals(client).ref();
  else internals(client).unref();
}

/**
 * Sends a CancelRequest for what the client has at work, over a connection of its own
 * (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS). It needs no login and no
 * free connection, and a pooler passes it on.
 * @returns when the server has closed that connection, which it does when the request has been processed
 */
export async function requestCancel(
  { host, port, ssl }: Pick<ServerSettings, 'host' | 'port' | 'ssl'>,
  client: ClientBase,
  timeoutMs: number,
): Promise<void> {
  const { processID, secretKey } = internals(client);
  if (processID === null || secretKey === null) return;
  const connection = new Connection({ ssl }) as Connection & ConnectionInternals;
  const send = () => connection.cancel(processID, secretKey);
  connection.once('connect', () => (ssl === false ? send() : connection.requestSsl()));
  connection.once('sslconnect', send);
  connection.on('error', () => {});
  if (host.startsWith('/')) connection.connect(`${host}/.s.PGSQL.${port}`);
  else connection.connect(port, host);
  try {
    await once(connection, 'end', { signal: AbortSignal.timeout(timeoutMs) });
  } finally {
    connection.stream.destroy();
  }
}

function internals(client: ClientBase): Internals {
  return client as unknown as Internals;
}
