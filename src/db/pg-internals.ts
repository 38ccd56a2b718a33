import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ClientBase } from 'pg';

/**
 * What pg has and its types do not: the only file that depends on pg's insides.
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

/** The socket to the server; a TLSSocket where the connection is encrypted. */
export function socketOf(client: ClientBase): Socket | TLSSocket {
  return internals(client).connection.stream;
}

/** What a cancel request names: the process id as the server, or a pooler, gave it to this client. */
export function cancelKeyOf(client: ClientBase): {
  readonly processID: number | null;
  readonly secretKey: number | null;
} {
  const { processID, secretKey } = internals(client);
  return { processID, secretKey };
}

/** The password that was used: where none was given, pg has looked in PGPASSWORD and ~/.pgpass. */
export function passwordOf(client: ClientBase): string | undefined {
  const { password } = internals(client);
  return typeof password === 'string' ? password : undefined;
}

/** Turns pipeline mode on or off. Nothing may be on its way: pg looks at the property whenever it sends. */
export function setPipelining(client: ClientBase, on: boolean): void {
  internals(client).pipeline = on;
}

/** Whether the connection keeps the process from ending. */
export function keepAlive(client: ClientBase, on: boolean): void {
  if (on) internals(client).ref();
  else internals(client).unref();
}

function internals(client: ClientBase): Internals {
  return client as unknown as Internals;
}
