import { inspect, type InspectOptions } from 'node:util';
import type { Knex } from 'knex';
import { READ_BY_KNEX } from './insides.ts';
import type { SentStatement } from './statement.ts';

/**
 * What a migration sent, and whether it would send the same for every tenant: only if it read nothing that
 * may differ. Equal texts for two tenants prove nothing: both tables may be empty, and a third tenant's not.
 */
export interface Recording {
  readonly texts: readonly string[];
  /** Why the texts are valid for this tenant only; undefined if valid for all. */
  readonly dependence: string | undefined;
  sent(statement: SentStatement): void;
  /** Notes a reason. The first one is kept. */
  depends(reason: string): void;
}

/** Settings that change how later statements are parsed: within one string they take effect too late. */
const CHANGES_READING = /standard_conforming_strings|backslash_quote|client_encoding|\bset\s[^;]*\bnames\b/i;

const HAS_SAVEPOINT = /\b(?:savepoint|release|rollback)\b/i;

export function createRecording(): Recording {
  const texts: string[] = [];
  let dependence: string | undefined;
  return {
    texts,
    get dependence() {
      return dependence;
    },
    sent({ text, values }) {
      texts.push(text);
      if (values.length > 0) dependence ??= 'it binds values';
      if (HAS_SAVEPOINT.test(text)) dependence ??= 'it has a transaction within its own';
      if (CHANGES_READING.test(text)) dependence ??= 'it changes how SQL is read';
    },
    depends(reason) {
      dependence ??= reason;
    },
  };
}

/** Members of Knex that only build statements. Others (userParams, client) may differ between tenants. */
const MAKES_STATEMENTS: ReadonlySet<string | symbol> = new Set(
  `schema raw fn ref insert into table from queryBuilder isTransaction withSchema constructor then
  name length`.split(/\s+/),
);

/** A proxy that reports each read of `source`: the property, or nothing if it may be any. */
function lookedAt<T extends object>(
  source: T,
  tell: (property?: string | symbol) => void,
  handler: ProxyHandler<T> = {},
  target: T = source,
): T {
  return new Proxy(target, {
    get(_target, property) {
      tell(property);
      return Reflect.get(source, property, source) as unknown;
    },
    set: (_target, property, value) => Reflect.set(source, property, value),
    has(_target, property) {
      tell(property);
      return Reflect.has(source, property);
    },
    ownKeys() {
      tell();
      return Reflect.ownKeys(source);
    },
    getOwnPropertyDescriptor(_target, property) {
      tell();
      return Reflect.getOwnPropertyDescriptor(source, property);
    },
    getPrototypeOf: () => Reflect.getPrototypeOf(source),
    ...handler,
  });
}

/** A migration's Knex that records the use of anything that may differ between tenants. */
export function watched(knex: Knex, recording: Recording): Knex {
  const tell = (property?: string | symbol) => {
    if (property === undefined) recording.depends('it looks through its Knex');
    else if (!MAKES_STATEMENTS.has(property)) recording.depends(`it uses knex.${String(property)}`);
  };
  return lookedAt(knex, tell, {
    get(target, property) {
      tell(property);
      return watchedMember(target, property, recording);
    },
    apply: (target, self, args) =>
      watchedBuilder(Reflect.apply(target as never, self, args), recording) as never,
  });
}

function watchedMember(knex: Knex, property: string | symbol, recording: Recording): unknown {
  const value: unknown = Reflect.get(knex, property, knex);
  if (property === 'schema') return watchedBuilder(value, recording);
  if (typeof value !== 'function' || property === 'constructor') return value;
  return new Proxy(value, {
    apply: (target, _self, args) => watchedBuilder(Reflect.apply(target, knex, args) as unknown, recording),
  });
}

/** Builder members that reach beyond their own statement. */
const LEADS_ELSEWHERE: ReadonlySet<string | symbol> = new Set(
  `client on once addListener stream pipe connection transacting asCallback options timeout
  queryContext hasTable hasColumn columnInfo`.split(/\s+/),
);

function watchedBuilder(builder: unknown, recording: Recording): unknown {
  if (typeof builder !== 'object' || builder === null) return builder;
  const proxy: object = new Proxy(builder, {
    get(target, property) {
      if (LEADS_ELSEWHERE.has(property)) recording.depends(`it uses .${String(property)}`);
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== 'function' || property === 'constructor') return value;
      return (...args: unknown[]): unknown => {
        const returned: unknown = Reflect.apply(value, target, args);
        return returned === target ? proxy : returned;
      };
    },
  });
  return proxy;
}

/** Records reads of an answer: later statements may depend on it. Reads by Knex and by await do not count. */
export function unread(result: unknown, recording: Recording, isRaw: boolean): unknown {
  if (typeof result !== 'object' || result === null) return result;
  const tell = (property?: string | symbol) => {
    // The command of a statement that Knex has built is known from its text.
    if (property !== 'then' && (isRaw || property !== READ_BY_KNEX))
      recording.depends('it reads what a statement returned');
  };
  // util.inspect and console.log look at a proxy's target: it is a proxy, too. With showProxy, or %o, they go on to
  // the target of that, which shows the answer.
  const shown = {
    [inspect.custom](_depth: number, options: InspectOptions) {
      tell();
      return inspect(result, { ...options, depth: 2 });
    },
  };
  const target = Array.isArray(result) ? Object.assign([], shown) : shown;
  return new Proxy(lookedAt<object>(result, tell, {}, target), {});
}
