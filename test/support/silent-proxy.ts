import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { TestServerDatabase } from './database.ts';

/** A proxy that can fall silent: it keeps every connection but forwards nothing. */
export interface SilentProxy {
  /** The program's variables to connect through it. */
  readonly env: Readonly<Record<string, string>>;
  fallSilent(): void;
}

export async function silentProxy({ settings, env }: TestServerDatabase): Promise<SilentProxy> {
  const sockets = new Set<Socket>();
  let isSilent = false;
  const server = createServer((client) => {
    const upstream = connect(settings.port, settings.host);
    const ways: readonly (readonly [Socket, Socket])[] = [
      [client, upstream],
      [upstream, client],
    ];
    for (const [from, to] of ways) {
      sockets.add(from);
      from.on('error', () => {});
      from.on('data', (data) => {
        if (!isSilent) to.write(data);
      });
      from.on('close', () => {
        if (!isSilent) to.destroy();
      });
    }
  });
  // Half-closed connections stay open, as behind a router that has lost its state.
  server.on('connection', (socket: Socket) => (socket.allowHalfOpen = true));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    env: { ...env, DB_HOST: '127.0.0.1', DB_PORT: String((server.address() as AddressInfo).port) },
    fallSilent() {
      isSilent = true;
    },
  };
}
