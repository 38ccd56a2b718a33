import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { ServerSettings } from '../../src/db/database.ts';

/** A proxy that cuts one connection at a precise moment. */
export interface CuttingProxy {
  readonly settings: ServerSettings;
  readonly cuts: number;
  /**
   * Cuts the first connection whose client sends a text containing `sent`, once the server has answered with
   * a CommandComplete of this tag. The client receives nothing of that answer.
   */
  cutAfter(sent: string, tag: string): void;
}

export async function cuttingProxy(settings: ServerSettings): Promise<CuttingProxy> {
  let order: { sent: string; answer: Buffer } | undefined;
  let cuts = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(settings.port, settings.host);
    let armed: Buffer | undefined;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    client.on('data', (data) => {
      if (order !== undefined && data.includes(order.sent)) {
        armed = order.answer;
        order = undefined;
      }
      upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (armed !== undefined && data.includes(armed)) {
        cuts += 1;
        client.destroy();
        upstream.destroy();
        return;
      }
      client.write(data);
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    settings: { ...settings, host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    get cuts() {
      return cuts;
    },
    cutAfter(sent, tag) {
      order = { sent, answer: Buffer.from(`${tag}\0`) };
    },
  };
}
