import type { PoolClient } from 'pg';
import type { ClientHost } from './migration-client.ts';
import { migrationInScope, type Scoped } from './migration-scope.ts';

/** A migration that uses Knex. */
export interface Seated extends ClientHost, Scoped {
  /** The seat's. */
  readonly connection: PoolClient;
  /** Replaces pg's query. */
  query(config: unknown, valuesOrCallback?: unknown, callback?: unknown): unknown;
}

/** A place for one migration after the other to use the same Knex. */
export class Seat {
  /** What Knex takes for its connection: it passes each statement to the migration that sends it. */
  readonly connection: PoolClient;
  #last: Seated | undefined;

  constructor(client: PoolClient) {
    const query = (...args: Parameters<Seated['query']>) => this.user.query(...args);
    this.connection = new Proxy(client, {
      get(target, property) {
        if (property === 'query') return query;
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  take(migration: Seated): void {
    this.#last = migration;
  }

  /** The migration whose code is running: an earlier one, if it was not waited for. */
  get user(): Seated {
    const running = migrationInScope();
    const user = this.#isSeated(running) ? running : this.#last;
    if (user === undefined) throw new Error('Nobody has taken the seat.');
    return user;
  }

  #isSeated(running: Scoped | undefined): running is Seated {
    return (running as Partial<Seated> | undefined)?.connection === this.connection;
  }
}
