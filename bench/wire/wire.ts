import { createServer, connect, type Server, type Socket } from 'node:net';
import { withConnection } from '../server/connection.ts';
import { followConversation, trafficOf, type Conversation, type Traffic } from './conversation.ts';
import { clientMessages, serverMessages } from '../../test/support/wire/protocol.ts';

/** A proxy to the server that adds latency and parses the traffic. */
export interface Wire {
  /** The database's URL through the proxy. */
  readonly url: string;
  readonly conversations: readonly Conversation[];
}

/**
 * Runs `use` with a proxy that delays answers by `roundTripMs`: one timer for both directions, because Node's
 * are accurate to about half a millisecond. This process does the forwarding, so compare only times over such
 * a wire.
 */
export async function withWire<T>(
  url: string,
  roundTripMs: number,
  use: (wire: Wire) => Promise<T>,
): Promise<T> {
  const conversations: Conversation[] = [];
  const open = new Set<Socket>();
  const { hostname, port } = new URL(url);
  const listener = createServer({ noDelay: true }, (near) => {
    const far = connect({ host: hostname, port: Number(port), noDelay: true });
    const { conversation, onClientMessage, onServerMessage } = followConversation();
    conversations.push(conversation);
    // Read both directions at the client's end: what it sends at once, what it receives after the delay.
    const readClient = clientMessages(onClientMessage);
    const readServer = serverMessages(onServerMessage);
    near.on('data', readClient);
    pass(near, far, 0, () => {});
    pass(far, near, roundTripMs, readServer);
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => open.delete(socket));
    }
  });
  try {
    const through = new URL(url);
    through.port = String(await listen(listener));
    return await use({ url: through.href, conversations });
  } finally {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => listener.close(resolve));
  }
}

function listen(listener: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(0, '127.0.0.1', () => {
      const address = listener.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}

/** Equal timers fire in order, so the bytes keep theirs. */
function pass(from: Socket, to: Socket, delayMs: number, onArrival: (chunk: Buffer) => void): void {
  const later = (arrive: () => void) => {
    if (delayMs > 0) setTimeout(arrive, delayMs);
    else arrive();
  };
  from.on('data', (chunk) =>
    later(() => {
      onArrival(chunk);
      to.write(chunk);
    }),
  );
  from.on('end', () => later(() => to.end()));
}

const PINGS = 200;

/** The mean round trip of successive `SELECT 1`, in milliseconds. */
export async function measureRoundTrip(url: string): Promise<number> {
  return withConnection(url, async (client) => {
    const started = performance.now();
    for (let ping = 0; ping < PINGS; ping += 1) await client.query('SELECT 1');
    return (performance.now() - started) / PINGS;
  });
}

/** Counts the traffic of some work, without delay. */
export async function countTraffic(
  url: string,
  work: (through: string) => Promise<unknown>,
): Promise<Traffic> {
  return withWire(url, 0, async (wire) => {
    await work(wire.url);
    return trafficOf(wire.conversations);
  });
}
