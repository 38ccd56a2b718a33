import type { Case } from './case.ts';
import type { Databases } from './databases.ts';
import type { Running } from './program.ts';
import type { Proxy } from './wire/proxy.ts';
import type { OnPoint, Relay } from './wire/relay.ts';

/** What a fault strikes at. */
export interface Victim {
  readonly running: Running;
  readonly proxy: Proxy;
  readonly databases: Databases;
}

/** A fault that waits for its moment. */
export interface Strike {
  /** For the proxy. */
  readonly onPoint: OnPoint;
  /** Tells who is to be struck; to be called before the program can have connected. */
  aim(victim: Victim): void;
  /** Whether it has struck: a run may be over before its moment has come. */
  readonly hasStruck: boolean;
  /** Resolves when what it set going is over: a server is back, say. */
  settled(): Promise<void>;
}

export function createStrike({ kind, instant }: Pick<Case, 'kind' | 'instant'>): Strike {
  let victim: Victim | undefined;
  let seen = 0;
  let hasStruck = false;
  let isTimed = false;
  let consequences: Promise<void> = Promise.resolve();
  const strike = (relay: Relay | undefined) => {
    if (hasStruck || victim === undefined || relay === undefined) return;
    hasStruck = true;
    consequences = DEEDS[kind](victim, relay);
  };
  return {
    onPoint(moment, name, relay) {
      if ('ms' in instant) {
        if (isTimed) return;
        isTimed = true;
        setTimeout(() => strike(oneOf(victim?.proxy.open ?? [], instant.ms)), instant.ms).unref();
        return;
      }
      if (`${moment} ${name}` !== instant.point) return;
      seen += 1;
      if (seen === instant.nth) strike(relay);
    },
    aim(at) {
      victim = at;
    },
    get hasStruck() {
      return hasStruck;
    },
    settled: () => consequences,
  };
}

function oneOf(relays: readonly Relay[], number: number): Relay | undefined {
  return relays[number % Math.max(1, relays.length)];
}

/** What each kind of fault does, to a connection that stands at the point. */
const DEEDS: Readonly<Record<Case['kind'], (victim: Victim, relay: Relay) => Promise<void>>> = {
  /** The program dies, as by the kernel's hand; its sockets are closed. */
  async kill({ running }, relay) {
    relay.freeze();
    running.kill();
  },
  /** An administrator ends the backend. */
  async terminate({ databases }, relay) {
    if (relay.pid === undefined) return;
    relay.freeze();
    await databases.query('SELECT pg_terminate_backend($1)', [relay.pid]);
    relay.thaw();
  },
  /** The connection breaks, and both ends hear of it. */
  async cut(_victim, relay) {
    relay.cut();
  },
  /** The connection breaks, and the client alone hears of it. */
  async 'half-close'(_victim, relay) {
    relay.halfClose();
  },
  /** The program's machine vanishes without a word. */
  async stall({ proxy, running }) {
    proxy.goSilent();
    running.kill();
  },
  /** The server dies as by a loss of power, and comes back. */
  async crash({ databases: { server } }, relay) {
    relay.freeze();
    await server.halt();
    relay.thaw();
    await server.resume();
  },
};
