import { setTimeout as sleep } from 'node:timers/promises';
import { writeFileSync } from 'node:fs';
import type { Case } from './case.ts';
import type { Databases } from './databases.ts';
import type { Running } from './program.ts';
import type { Proxy } from './wire/proxy.ts';
import type { OnPoint, Relay } from './wire/relay.ts';

export interface Victim {
  readonly running: Running;
  readonly proxy: Proxy;
  readonly databases: Databases;
  /** While this file exists, the disk with the backups is full. */
  readonly fullFolder: string;
}

export interface Strike {
  readonly onPoint: OnPoint;
  aim(victim: Victim): void;
  /** Whether it has struck: a run may end first. */
  readonly hasStruck: boolean;
  /** Resolves when its aftermath is over, for example when a server is back. */
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

/** The effect of each kind of fault on a connection at the point. */
const DEEDS: Readonly<Record<Case['kind'], (victim: Victim, relay: Relay) => Promise<void>>> = {
  /** SIGKILL: the program dies and its sockets are closed. */
  async kill({ running }, relay) {
    relay.freeze();
    running.signal('SIGKILL');
  },
  async terminate({ databases }, relay) {
    if (relay.pid === undefined) return;
    relay.freeze();
    await databases.query('SELECT pg_terminate_backend($1)', [relay.pid]);
    relay.thaw();
  },
  /** The connection breaks; both ends notice. */
  async cut(_victim, relay) {
    relay.cut();
  },
  /** The connection breaks; only the client notices. */
  async 'half-close'(_victim, relay) {
    relay.halfClose();
  },
  /** The program's machine vanishes silently. */
  async stall({ proxy, running }) {
    proxy.goSilent();
    running.signal('SIGKILL');
  },
  /** The server loses power and restarts. */
  async crash({ databases: { server } }, relay) {
    relay.freeze();
    await server.halt();
    relay.thaw();
    await server.resume();
  },
  /** The postmaster dies alone: its backends notice one by one, some of them in the midst of their work. */
  async headless({ databases: { server } }) {
    await server.killPostmaster();
    await server.resume();
  },
  /** No table can grow. What fails then is not tried again: the next run does it. */
  async 'full-disk'({ databases: { server } }) {
    await server.fillDisk(() => sleep(PAUSE_MS));
  },
  /** No backup can grow until the command has ended. */
  async 'full-folder'({ fullFolder }) {
    writeFileSync(fullFolder, '');
  },
  /** The program stands still, and goes on as if nothing had been. */
  async pause({ running }) {
    running.signal('SIGSTOP');
    await sleep(PAUSE_MS);
    running.signal('SIGCONT');
  },
  async 'pause-backend'(_victim, { pid }) {
    if (pid === undefined) return;
    process.kill(pid, 'SIGSTOP');
    await sleep(PAUSE_MS);
    process.kill(pid, 'SIGCONT');
  },
  async 'pause-server'({ databases: { server } }) {
    await server.signal('SIGSTOP');
    await sleep(PAUSE_MS);
    await server.signal('SIGCONT');
  },
};

/** Milliseconds for which something stands still, or the disk is full: longer than the program waits for a lock in this test. */
const PAUSE_MS = 2000;
