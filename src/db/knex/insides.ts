// By default: an application's bundle often has a createRequire of its own at the top.
import { EventEmitter } from 'node:events';
import module from 'node:module';
import { dirname, join } from 'node:path';
import type { Knex } from 'knex';
import { exportsOf } from '../exports-of.ts';
import type { DialectClient, DialectClientClass } from './migration-client.ts';
import type { createKnex as PackedKnex } from './packed-knex.ts';
import { KNEX_METHODS } from './knex-methods.ts';
import { isSupported, projectKnexVersion } from './project-knex.ts';

/** The only file that uses Knex's internals (3.3). Its test fails if a newer Knex changes one. */

/** The exact statements that frame a Knex transaction (knex/lib/execution/transaction.js). */
const BEGIN = 'BEGIN;';
const ENDS = ['COMMIT;', 'ROLLBACK'];

/** Whether this text is Knex's own transaction framing. */
export function isFrame(text: string): boolean {
  return text === BEGIN || endsFrame(text);
}

/** Whether this text begins a nested transaction of Knex. */
export function beginsNested(text: string): boolean {
  return text.startsWith('SAVEPOINT trx');
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
 * The Knex that runs a project's migrations: the one that they would import, if tenantctl works with its version. The
 * packed one, which loads three times as fast, takes the place of another 3.x that is not loaded yet.
 * @param path a migration's
 */
export async function loadKnex(path: string): Promise<typeof PackedKnex> {
  return projectKnex(path) ?? exportsOf(await import('./packed-knex.ts')).createKnex;
}

/**
 * Whether the Knex that migrations get has methods that no version has of itself: the application has extended it, and
 * in another process the same code may do something else. To find out takes some milliseconds.
 * @param directory of the migrations
 */
export function isKnexExtended(directory: string): boolean {
  const own = projectKnex(join(directory, 'migration.js'));
  if (own === undefined) return false;
  return [...methodsOf(own)].some((name) => !KNEX_METHODS.has(name));
}

function projectKnex(path: string): typeof PackedKnex | undefined {
  const version = projectKnexVersion(dirname(path));
  if (version === undefined || !isSupported(version)) return undefined;
  const require = module.createRequire(path);
  return version.startsWith('3.') ? loadedKnex(require) : (require('knex') as typeof PackedKnex);
}

function loadedKnex(require: NodeJS.Require): typeof PackedKnex | undefined {
  try {
    const cached = require.cache[require.resolve('knex')];
    // An import that Node gives up (a type imported as a value) leaves a module behind that never ran.
    return cached?.loaded ? (cached.exports as typeof PackedKnex) : undefined;
  } catch {
    // The package holds no code, perhaps only its types.
    return undefined;
  }
}

/** The names of all methods of Knex's builders, which `extend` adds to. */
export function methodsOf(createKnex: typeof PackedKnex): ReadonlySet<string> {
  const knex = createKnex({ client: 'pg' });
  const client = knex.client as { viewBuilder?(...args: unknown[]): object };
  const builders: object[] = [knex.queryBuilder(), knex.schema];
  // Knex calls the function when it compiles the statement.
  knex.schema.createTable('a', (table) => builders.push(table, table.text('a'))).toSQL();
  // Knex 0.21 has none.
  const view = client.viewBuilder?.('create', 'a', () => {});
  if (view !== undefined) builders.push(view);
  // What builders have of Node differs between its versions.
  const ofNode = new Set(namesIn(new EventEmitter()));
  return new Set(builders.flatMap(namesIn).filter((name) => !ofNode.has(name)));
}

/** The names of an object's own properties, and of those that it inherits. */
function namesIn(object: object): string[] {
  const names: string[] = [];
  for (let type = object; type !== Object.prototype; type = Object.getPrototypeOf(type) as object)
    names.push(...Object.getOwnPropertyNames(type));
  return names;
}
