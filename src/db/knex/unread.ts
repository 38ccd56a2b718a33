import { inspect, type InspectOptions } from 'node:util';
import type { AnswerPart } from '../answer.ts';
import { READ_BY_KNEX } from './insides.ts';
import { lookedAt } from './looked-at.ts';
import type { RecordedStatement, Recording } from './recording.ts';

/**
 * What a statement returned, as Knex and the migration see it: notes which part is read. Not `await`, nor what Knex
 * itself reads and does not pass on.
 */
export function unread(
  result: unknown,
  recording: Pick<Recording, 'depends'>,
  statement: Pick<RecordedStatement, 'read'>,
  isRaw: boolean,
): unknown {
  if (typeof result !== 'object' || result === null) return result;
  if (Array.isArray(result)) return unreadResults(result, recording, statement, isRaw);
  const depends = () => recording.depends('it looks through what a statement returned');
  const get = (property: string | symbol): unknown => {
    const value: unknown = Reflect.get(result, property, result);
    if (property === 'then') return value;
    if (property === 'rows' && Array.isArray(value)) return unreadRows(value, statement);
    if (property === 'rowCount') statement.read('counts');
    // The command of a statement that Knex has built is known from its text.
    else if (property !== READ_BY_KNEX) depends();
    else if (isRaw) statement.read('counts');
    return value;
  };
  return shown(result, get, depends);
}

/** The results of a text of several statements. */
function unreadResults(
  results: readonly unknown[],
  recording: Pick<Recording, 'depends'>,
  statement: Pick<RecordedStatement, 'read'>,
  isRaw: boolean,
): unknown {
  const each = results.map((result) => unread(result, recording, statement, isRaw));
  const get = (property: string | symbol): unknown => Reflect.get(each, property, each);
  return shown(each, get, () => {});
}

function unreadRows(rows: readonly unknown[], statement: Pick<RecordedStatement, 'read'>): unknown {
  const read = (part: AnswerPart) => statement.read(part);
  const get = (property: string | symbol): unknown => {
    if (property !== 'then') read(property === 'length' ? 'counts' : 'rows');
    return Reflect.get(rows, property, rows);
  };
  return shown(rows, get, () => read('rows'));
}

/**
 * util.inspect and console.log look at a proxy's target: it is a proxy, too. With showProxy, or %o, they go on to
 * the target of that, which shows the source.
 */
function shown<T extends object>(
  source: T,
  get: (property: string | symbol) => unknown,
  tell: () => void,
): T {
  const shows = {
    [inspect.custom](_depth: number, options: InspectOptions) {
      tell();
      return inspect(source, { ...options, depth: 2 });
    },
  };
  const target = Array.isArray(source) ? Object.assign([], shows) : shows;
  return new Proxy(lookedAt<object>(source, get, tell, {}, target), {}) as T;
}
