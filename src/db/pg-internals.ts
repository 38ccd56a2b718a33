import { once, type EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Connection, type ClientBase } from 'pg';
import utils from 'pg/lib/utils.js';
import type { ServerSettings } from './database.ts';

/** The only file that uses pg's internals, which its types lack. Its test fails if a release changes one. */
interface Internals {
  readonly connection: EventEmitter & { readonly stream: Socket };
  readonly processID: number | null;
  readonly secretKey: number | null;
  readonly password?: unknown;
  readonly readyForQuery: boolean;
  readonly host: string;
  readonly port: number;
  readonly ssl: ServerSettings['ssl'];
  pipeline: boolean;
  ref(): void;
  unref(): void;
}

interface ConnectionInternals {
  connect(portOrPath: number | string, host?: string): void;
  requestSsl(): void;
  cancel(processID: number, secretKey: number): void;
}

export function socketOf(client: ClientBase): Socket | TLSSocket {
  return internals(client).connection.stream;
}

/** Lets `take` have what the server sends, instead of pg. */
export function takeSocket(client: ClientBase, take: (chunk: Buffer) => void) {
  const socket = socketOf(client);
  const [handOn, ...others] = socket.listeners('data') as ((chunk: Buffer) => void)[];
  if (handOn === undefined || others.length > 0) throw new Error('pg does not read from its socket');
  socket.off('data', handOn);
  socket.on('data', take);
  return {
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    /** Gives pg some bytes. */
    handOn,
    /** Gives pg the socket again, and these bytes first. */
    giveBack(rest: Buffer) {
      socket.off('data', take);
      socket.on('data', handOn);
      handOn(rest);
      socket.resume();
    },
  };
}

/** The process id that the server or pooler assigned to this client. */
export function processIdOf(client: ClientBase): number | null {
  return internals(client).processID;
}

/** The password in use. Without one in the settings, pg reads PGPASSWORD and ~/.pgpass. */
export function passwordOf(client: ClientBase): string | undefined {
  const { password } = internals(client);
  return typeof password === 'string' ? password : undefined;
}

/**
 * Follows whether the session is in a transaction.
 * @returns says so, as of the last answer: https://www.postgresql.org/docs/current/protocol-message-formats.html (ReadyForQuery)
 */
export function followTransaction(client: ClientBase): () => boolean {
  let status = 'I';
  internals(client).connection.on('readyForQuery', (message?: { readonly status?: string }) => {
    status = message?.status ?? 'I';
  });
  return () => status !== 'I';
}

/**
 * Counts the statements that the server completes. An error does not say which statement of a string failed.
 * @returns ends the counting, and returns the number
 */
export function countCompleted(client: ClientBase): () => number {
  const { connection } = internals(client);
  let completed = 0;
  const count = () => (completed += 1);
  connection.on('commandComplete', count);
  return () => {
    connection.off('commandComplete', count);
    return completed;
  };
}

/** What the server answers, as it comes over the wire: the fields of a result, a row, the command's tag. */
export type AnswerMessage =
  | {
      readonly name: 'rowDescription';
      readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
    }
  | { readonly name: 'dataRow'; readonly fields: readonly (string | null)[] }
  | { readonly name: 'commandComplete'; readonly text: string };

/** Passes on what the server answers. @returns ends that */
export function onAnswer(client: ClientBase, take: (message: AnswerMessage) => void): () => void {
  const { connection } = internals(client);
  const names: readonly AnswerMessage['name'][] = ['rowDescription', 'dataRow', 'commandComplete'];
  for (const name of names) connection.on(name, take);
  return () => names.forEach((name) => connection.off(name, take));
}

/** A bound value as pg sends it (pg/lib/utils.js): null, text, or bytes. @throws what a value's toPostgres throws */
export function asSent(value: unknown): string | Buffer | null {
  return utils.prepareValue(value);
}

/**
 * The text as a query of the extended protocol, for which the server accepts a single statement
 * (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY).
 */
export function asLoneStatement<Config extends object>(text: string, config?: Config) {
  return { ...config, text, queryMode: 'extended' };
}

/** Calls `tell` when the server has answered a string completely. @returns ends that */
export function onReady(client: ClientBase, tell: () => void): () => void {
  const { connection } = internals(client);
  connection.on('readyForQuery', tell);
  return () => connection.off('readyForQuery', tell);
}

/** False until the answer is complete: pg rejects a failed query before its transaction status arrives. */
export function knowsStatus(client: ClientBase): boolean {
  return internals(client).readyForQuery;
}

/** Turns pipeline mode on or off. No query may be in flight: pg reads the property at each send. */
export function setPipelining(client: ClientBase, on: boolean): void {
  internals(client).pipeline = on;
}

export function keepAlive(client: ClientBase, on: boolean): void {
  if (on) internals(client).ref();
  else internals(client).unref();
}

/**
 * Cancels the client's running statement over a new connection, which needs no login and no free connection
 * slot (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS). Poolers
 * pass it on.
 * @returns when the server has processed the request and closed that connection
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

/** requestCancel at the address that the client itself uses. */
export async function cancelRunning(client: ClientBase, timeoutMs: number): Promise<void> {
  await requestCancel(internals(client), client, timeoutMs);
}

function internals(client: ClientBase): Internals {
  return client as unknown as Internals;
}
