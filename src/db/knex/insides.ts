// By default: an application's bundle often has a createRequire of its own at the top.
import module from 'node:module';
import type { Knex } from 'knex';
import type { PoolClient } from 'pg';
import { exportsOf } from '../exports-of.ts';
import type { createKnex as PackedKnex } from './packed-knex.ts';

/** The only file that uses Knex's internals (3.3). Its test fails if a newer Knex changes one. */

/** The exact statements that frame a Knex transaction (knex/lib/execution/transaction.js). */
const BEGIN = 'BEGIN;';
const ENDS = ['COMMIT;', 'ROLLBACK'];

/** Whether this text is Knex's own transaction framing. */
export function isFrame(text: string): boolean {
  return text === BEGIN || endsFrame(text);
}

export function endsFrame(text: string): boolean {
  return ENDS.includes(text);
}

/** The property that Knex itself reads from an answer it passes on; none for raw SQL (processResponse). */
export const READ_BY_KNEX = 'command';

/** Before each statement is sent, reports whether it is raw SQL. */
export function onQuery(transaction: Knex.Transaction, tell: (isRaw: boolean) => void): void {
  const client = transaction.client as NodeJS.EventEmitter;
  client.on('query', ({ method }: { method?: string }) => tell(method === 'raw'));
}

/** Makes a Knex without a pool use this connection (knex/lib/client.js). */
export function useConnection(knex: Knex, connection: PoolClient): void {
  const client = knex.client as Record<'acquireConnection' | 'releaseConnection', () => Promise<unknown>>;
  client.acquireConnection = () => Promise.resolve(connection);
  client.releaseConnection = () => Promise.resolve();
}

/**
 * The Knex that a migration would import, if it is loaded already, perhaps extended; else the packed one, which
 * loads three times as fast.
 * @param path a migration's
 */
export async function loadKnex(path: string): Promise<typeof PackedKnex> {
  return loadedKnex(module.createRequire(path)) ?? exportsOf(await import('./packed-knex.ts')).createKnex;
}

function loadedKnex(require: NodeJS.Require): typeof PackedKnex | undefined {
  try {
    const loaded = require.cache[require.resolve('knex')]?.exports as typeof PackedKnex | undefined;
    // Another major version may differ inside.
    return (require('knex/package.json') as { version: string }).version.startsWith('3.')
      ? loaded
      : undefined;
  } catch {
    return undefined;
  }
}
