import { createServer, connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A wire to the server that is as long as one likes, and counts what goes over it. */
export interface Wire {
  readonly url: string;
  /** Requests that the server had to answer before the client went on. */
  readonly exchanges: () => number;
  close(): Promise<void>;
}

/**
 * Listens beside a server and passes everything on, each way late by half of `roundTripMs`. A timer of Node's is good
 * to about a millisecond, and the work of passing on is this process's: times over the wire compare among themselves.
 */
export async function layWire(serverUrl: string, roundTripMs: number): Promise<Wire> {
  const server = new URL(serverUrl);
  const open = new Set<Socket>();
  let exchanges = 0;
  const listener = createServer({ noDelay: true }, (near) => {
    const far = connect({ host: server.hostname, port: Number(server.port), noDelay: true });
    const count = requestCounter(() => (exchanges += 1));
    near.on('data', count);
    pass(near, far, roundTripMs / 2);
    pass(far, near, roundTripMs / 2);
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => open.delete(socket));
    }
  });
  const port = await new Promise<number>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(0, '127.0.0.1', () => {
      const address = listener.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  const url = new URL(serverUrl);
  url.port = String(port);
  return {
    url: url.href,
    exchanges: () => exchanges,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

export function countExchanges(wire: Wire | undefined): number {
  return wire?.exchanges() ?? 0;
}

/** Timers of equal length end in the order in which they began, so the bytes keep theirs. */
function pass(from: Socket, to: Socket, delayMs: number): void {
  const later = delayMs > 0 ? () => sleep(delayMs) : () => Promise.resolve();
  from.on('data', (chunk) => void later().then(() => to.write(chunk)));
  from.on('end', () => void later().then(() => to.end()));
}

/**
 * Follows a client's messages (https://www.postgresql.org/docs/current/protocol-message-formats.html): a simple query
 * (Q) and a Sync (S) wait for an answer, and so does the start-up message, the first, which has no type byte.
 */
function requestCounter(onRequest: () => void): (chunk: Buffer) => void {
  let pending: Buffer = Buffer.alloc(0);
  let started = false;
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (;;) {
      const header = started ? 1 : 0;
      if (pending.length < header + 4) return;
      const end = header + pending.readInt32BE(header);
      if (pending.length < end) return;
      const type = started ? String.fromCharCode(pending[0] ?? 0) : 'start';
      if (type === 'start' || type === 'Q' || type === 'S') onRequest();
      started = true;
      pending = pending.subarray(end);
    }
  };
}
