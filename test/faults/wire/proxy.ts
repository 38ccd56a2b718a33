import { connect, createServer, type AddressInfo } from 'node:net';
import type { Passing } from './pieces.ts';
import { relay, type OnPoint, type Relay } from './relay.ts';

/** A proxy between a program and the server that parses the protocol. */
export interface Proxy {
  readonly port: number;
  readonly open: readonly Relay[];
  /** Forwards nothing and answers no new connection, like a vanished host. */
  goSilent(): void;
  close(): Promise<void>;
}

export async function openProxy(
  serverPort: number,
  {
    passing,
    onPoint,
    host = '127.0.0.1',
  }: { readonly passing: Passing; readonly onPoint: OnPoint; readonly host?: string },
): Promise<Proxy> {
  const relays: Relay[] = [];
  let isSilent = false;
  const listener = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
    const far = connect({ host, port: serverPort, noDelay: true, allowHalfOpen: true });
    const one = relay(near, far, passing, onPoint);
    relays.push(one);
    if (isSilent) one.goSilent();
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    get open() {
      return relays.filter(({ isOpen }) => isOpen);
    },
    goSilent() {
      isSilent = true;
      for (const each of relays) each.goSilent();
    },
    async close() {
      const closed = new Promise((resolve) => listener.close(resolve));
      for (const each of relays) each.close();
      await closed;
    },
  };
}
