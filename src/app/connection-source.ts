import type { ClientBase, Pool, PoolClient } from 'pg';

/** Where the connections of calls come from, and go back to. */
export interface ConnectionSource {
  take(): Promise<ClientBase>;
  /** @param isBroken it must not be used again */
  giveBack(connection: ClientBase, isBroken: boolean): void;
}

/** The connections of a pool of pg. */
export function connectionsOf(pool: Pick<Pool, 'connect'>): ConnectionSource {
  return {
    take: () => pool.connect(),
    giveBack: (connection, isBroken) => (connection as PoolClient).release(isBroken),
  };
}
