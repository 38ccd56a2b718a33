import { createServer, connect, type Server, type Socket } from 'node:net';
import { withConnection } from '../server/connection.ts';
import { followConversation, trafficOf, type Conversation, type Traffic } from './conversation.ts';
import { clientMessages, serverMessages } from '../../test/support/wire/protocol.ts';

/** A wire to the server that is as long as one likes, and reads what goes over it. */
export interface Wire {
  /** The database's URL, through the wire. */
  readonly url: string;
  /** Every connection so far, in the order in which they came. */
  readonly conversations: readonly Conversation[];
}

/**
 * Runs `use` beside a listener that passes everything on to the database, and the answers late by `roundTripMs`: one
 * timer for both ways, because Node's are good to about half a millisecond. The work of passing on is this process's:
 * times over a wire compare among themselves.
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
    // Both ends are read where the client is: what it sends at once, what it gets when the delay is over.
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

/** Timers of equal length end in the order in which they began, so the bytes keep theirs. */
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

/** How many milliseconds a `SELECT 1` takes there and back: the mean of so many, one after the other. */
export async function measureRoundTrip(url: string): Promise<number> {
  return withConnection(url, async (client) => {
    const started = performance.now();
    for (let ping = 0; ping < PINGS; ping += 1) await client.query('SELECT 1');
    return (performance.now() - started) / PINGS;
  });
}

/** What a piece of work sends, over a wire that delays nothing. */
export async function countTraffic(
  url: string,
  work: (through: string) => Promise<unknown>,
): Promise<Traffic> {
  return withWire(url, 0, async (wire) => {
    await work(wire.url);
    return trafficOf(wire.conversations);
  });
}
