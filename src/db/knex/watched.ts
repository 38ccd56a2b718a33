import type { Knex } from 'knex';
import { lookedAt } from './looked-at.ts';
import type { Recording } from './recording.ts';

/** Members of Knex that only build statements. Others (userParams, client) may differ between tenants. */
const MAKES_STATEMENTS: ReadonlySet<string | symbol> = new Set(
  `schema raw fn ref select as columns column distinct from into insert upsert update delete del first returning
  increment decrement pluck truncate limit offset table queryBuilder isTransaction withSchema constructor then
  name length`.split(/\s+/),
);

/** The same, by their families. */
const BEGINS_QUERY =
  /^(?:with(?:Recursive|Materialized|NotMaterialized)?|from(?:JS|Raw)|join(?:Raw)?|\w+Join|(?:(?:or|and)?[wW]here|(?:or)?[hH]aving|groupBy|orderBy|count|sum|avg|min|max|union|intersect|except|clear|json)\w*)$/;

/** Builder members that reach beyond their own statement. */
const LEADS_ELSEWHERE: ReadonlySet<string | symbol> = new Set(
  `client on once addListener stream pipe connection asCallback options timeout`.split(/\s+/),
);

/** The Knex behind a proxy: a builder that joins a transaction needs it. */
const SOURCE = Symbol('source');

/** A migration's Knex that records the use of anything that may differ between tenants. */
export function watched(knex: Knex, recording: Recording): Knex {
  const tell = (property?: string | symbol) => {
    if (property === undefined) recording.depends('it looks through its Knex');
    else if (!isKnown(property)) recording.depends(`it uses knex.${String(property)}`);
  };
  const get = (property: string | symbol) => {
    if (property === SOURCE) return knex;
    if (property === 'client') return watchedClient(knex.client as KnexClient, recording);
    tell(property);
    return watchedMember(knex, property, recording);
  };
  return lookedAt(knex, get, tell, {
    apply: (target, self, args) =>
      watchedBuilder(Reflect.apply(target as never, self, args), recording) as never,
  });
}

interface KnexClient {
  readonly config: object;
}

/** What code that serves several kinds of databases asks of Knex's client; the same for every tenant. */
const NAMES_DATABASE: ReadonlySet<string | symbol> = new Set(['client', 'dialect', 'driverName']);

/** Knex's client, or its configuration. */
function watchedClient<T extends KnexClient | object>(client: T, recording: Recording): T {
  const depends = () => recording.depends('it uses knex.client');
  const get = (property: string | symbol): unknown => {
    const value: unknown = Reflect.get(client, property, client);
    if (property === 'config' && 'config' in client) return watchedClient(client.config, recording);
    if (!NAMES_DATABASE.has(property) || typeof value !== 'string') depends();
    return typeof value === 'function' ? (value.bind(client) as unknown) : value;
  };
  return lookedAt(client, get, depends);
}

/** Members of a nested transaction. */
const OF_TRANSACTION: ReadonlySet<string | symbol> = new Set(
  `transaction savepoint commit rollback isCompleted executionPromise`.split(/\s+/),
);

function isKnown(property: string | symbol): boolean {
  const isQuery = typeof property === 'string' && BEGINS_QUERY.test(property);
  return isQuery || MAKES_STATEMENTS.has(property) || OF_TRANSACTION.has(property);
}

function watchedMember(knex: Knex, property: string | symbol, recording: Recording): unknown {
  const value: unknown = Reflect.get(knex, property, knex);
  if (property === 'schema') return watchedBuilder(value, recording);
  if (typeof value !== 'function' || property === 'constructor') return value;
  const isNested = property === 'transaction' || property === 'savepoint';
  return new Proxy(value, {
    apply(target, _self, args: unknown[]) {
      if (isNested) return nested(target as never, knex, args, recording);
      return watchedBuilder(Reflect.apply(target, knex, args) as unknown, recording);
    },
  });
}

type Begin = (...args: unknown[]) => Promise<unknown>;

/** Begins a nested transaction, whose Knex is watched as well: given to a function, or returned. */
function nested(begin: Begin, knex: Knex, [container, ...rest]: unknown[], recording: Recording): unknown {
  const inner = (transaction: Knex.Transaction) => watched(transaction, recording);
  if (typeof container !== 'function')
    return begin.call(knex, container, ...rest).then((transaction) => inner(transaction as Knex.Transaction));
  const use = container as (transaction: Knex) => unknown;
  return begin.call(knex, (transaction: Knex.Transaction) => use(inner(transaction)), ...rest);
}

function watchedBuilder(builder: unknown, recording: Recording): unknown {
  if (typeof builder !== 'object' || builder === null) return builder;
  const proxy: object = new Proxy(builder, {
    get(target, property) {
      if (LEADS_ELSEWHERE.has(property)) recording.depends(`it uses .${String(property)}`);
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== 'function' || property === 'constructor') return value;
      return (...args: unknown[]): unknown => {
        const given = property === 'transacting' ? args.map(sourceOf) : args;
        const returned: unknown = Reflect.apply(value, target, given);
        if (property === 'toSQL') noteRandomName(returned, recording);
        return returned === target ? proxy : returned;
      };
    },
  });
  return proxy;
}

/** What a builder compiles to has a random name of its own. */
function noteRandomName(compiled: unknown, recording: Recording): void {
  if (typeof compiled !== 'object' || compiled === null || !(RANDOM_NAME in compiled)) return;
  const value = compiled[RANDOM_NAME];
  const get = () => {
    recording.depends(`it uses ${RANDOM_NAME}`);
    return value;
  };
  Object.defineProperty(compiled, RANDOM_NAME, { get, enumerable: true });
}

const RANDOM_NAME = '__knexQueryUid';

function sourceOf(value: unknown): unknown {
  return typeof value === 'function' ? (Reflect.get(value, SOURCE) ?? value) : value;
}
