import { createRequire } from 'node:module';
import type { Knex } from 'knex';
import type { PoolClient } from 'pg';
import type { createKnex as PackedKnex } from './packed-knex.ts';

/**
 * All that tenantctl knows of Knex beside its documentation, as of Knex 3.3. test/integration/db/knex-insides.test.ts
 * fails where a newer Knex differs.
 */

/** The statements that frame a transaction of Knex, exactly so (knex/lib/execution/transaction.js). */
const BEGIN = 'BEGIN;';
const ENDS = ['COMMIT;', 'ROLLBACK'];

/** Whether Knex itself frames a transaction with this text. */
export function isFrame(text: string): boolean {
  return text === BEGIN || endsFrame(text);
}

export function endsFrame(text: string): boolean {
  return ENDS.includes(text);
}

/** What Knex itself reads of an answer that it hands on unchanged; of one to raw SQL nothing (processResponse). */
export const READ_BY_KNEX = 'command';

/** Calls `tell` just before each statement goes to the connection: whether it is raw SQL. */
export function onQuery(transaction: Knex.Transaction, tell: (isRaw: boolean) => void): void {
  const client = transaction.client as NodeJS.EventEmitter;
  client.on('query', ({ method }: { method?: string }) => tell(method === 'raw'));
}

/** Has a Knex without a pool send its statements to this connection (knex/lib/client.js). */
export function useConnection(knex: Knex, connection: PoolClient): void {
  const client = knex.client as Record<'acquireConnection' | 'releaseConnection', () => Promise<unknown>>;
  client.acquireConnection = () => Promise.resolve(connection);
  client.releaseConnection = () => Promise.resolve();
}

/**
 * The Knex that a migration or the application has loaded, where one has: it may have extended its builders. Else the
 * packed one, which loads three times as fast.
 */
export async function loadKnex(): Promise<typeof PackedKnex> {
  const require = createRequire(import.meta.url);
  const isLoaded = require.cache[require.resolve('knex')] !== undefined;
  return isLoaded ? (await import('knex')).default : (await import('./packed-knex.ts')).createKnex;
}
