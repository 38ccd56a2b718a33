// By default: an application's bundle often has a createRequire of its own at the top.
import module from 'node:module';
import type { Knex } from 'knex';
import { exportsOf } from '../exports-of.ts';
import type { DialectClient, DialectClientClass } from './migration-client.ts';
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

/** Begins a transaction as knex.transaction() does (knex/lib/knex-builder/make-knex.js), for a client alone. */
export function beginTransaction(
  client: DialectClient,
  userParams: Record<string, unknown>,
): Promise<Knex.Transaction> {
  const { promise, resolve, reject } = Promise.withResolvers<Knex.Transaction>();
  client.transaction(resolve, { userParams, doNotRejectOnRollback: true }, null).catch(reject);
  return promise;
}

/** Before each statement is sent, reports whether it is raw SQL. */
export function onQuery(transaction: Knex.Transaction, tell: (isRaw: boolean) => void): void {
  const client = transaction.client as NodeJS.EventEmitter;
  client.on('query', ({ method }: { method?: string }) => tell(method === 'raw'));
}

/** Reports calls of batchInsert, which starts by a timer of 1 ms (knex/lib/execution/batch-insert.js). */
export function onBatchInsert(knex: Knex, tell: () => void): void {
  const { context } = knex as unknown as { readonly context: Record<'batchInsert', Knex['batchInsert']> };
  const batchInsert = context.batchInsert.bind(context);
  context.batchInsert = ((...args: Parameters<Knex['batchInsert']>) => {
    tell();
    return batchInsert(...args);
  }) as Knex['batchInsert'];
}

/** The class of Knex's client for PostgreSQL. */
export function dialectOf(createKnex: typeof PackedKnex): DialectClientClass {
  return (createKnex({ client: 'pg' }).client as { readonly constructor: DialectClientClass }).constructor;
}

/**
 * The Knex that a migration would import, if it is loaded already, perhaps extended; else the packed one, which
 * loads three times as fast.
 * @param path a migration's
 */
export async function loadKnex(path: string): Promise<typeof PackedKnex> {
  return loadedKnex(module.createRequire(path)) ?? exportsOf(await import('./packed-knex.ts')).createKnex;
}

/**
 * Whether the Knex that migrations get has methods that the packed one lacks: the application has extended it, and in
 * another process the same code may do something else. @param path a migration's
 */
export async function isKnexExtended(path: string): Promise<boolean> {
  const loaded = loadedKnex(module.createRequire(path));
  if (loaded === undefined) return false;
  const known = methodsOf(exportsOf(await import('./packed-knex.ts')).createKnex);
  return [...methodsOf(loaded)].some((name) => !known.has(name));
}

/** The names of all methods of Knex's builders, which `extend` adds to. */
function methodsOf(createKnex: typeof PackedKnex): ReadonlySet<string> {
  const { client } = createKnex({ client: 'pg' }) as unknown as { readonly client: BuilderFactory };
  const table = client.tableBuilder('create', 'a', null, () => {});
  const names = new Set<string>();
  const builders = [
    client.queryBuilder(),
    client.schemaBuilder(),
    table,
    client.columnBuilder(table, 'text', ['a']),
    client.viewBuilder('create', 'a', () => {}),
  ];
  for (const builder of builders)
    for (let type = builder; type !== Object.prototype; type = Object.getPrototypeOf(type) as object)
      for (const name of Object.getOwnPropertyNames(type)) names.add(name);
  return names;
}

type BuilderFactory = Readonly<
  Record<'queryBuilder' | 'schemaBuilder', () => object> &
    Record<'tableBuilder' | 'columnBuilder' | 'viewBuilder', (...args: unknown[]) => object>
>;

function loadedKnex(require: NodeJS.Require): typeof PackedKnex | undefined {
  try {
    const cached = require.cache[require.resolve('knex')];
    // Another major version may differ inside. An import that Node gives up (a type imported as a value) leaves
    // a module behind that never ran.
    return cached?.loaded && (require('knex/package.json') as { version: string }).version.startsWith('3.')
      ? (cached.exports as typeof PackedKnex)
      : undefined;
  } catch {
    return undefined;
  }
}
