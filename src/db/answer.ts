import { createHash } from 'node:crypto';
import { types } from 'pg';
import type { AnswerMessage } from './pg-internals.ts';

/** How much of an answer was read: whether and how many rows there are, or the rows. */
export type AnswerPart = 'counts' | 'rows';

/** What the server answers to one text, as it comes over the wire. */
export interface Answer {
  take(message: AnswerMessage): void;
  /** Names a part of the answer: two answers with the same name are alike in that part. */
  nameOf(part: AnswerPart): string;
}

/** Oids below are PostgreSQL's own (https://www.postgresql.org/docs/current/system-catalog-initial-data.html). */
const FIRST_NORMAL_OID = 16_384;

/** No type has this oid: pg's parser of it is the one of all types that it does not know. */
const NO_TYPE = 0;

/**
 * A type, and how pg converts its values: an application may set a parser of its own. Each tenant's own type has its
 * own oid. pg gives its values as text, unless somebody set a parser.
 */
function typeOf(oid: number): readonly [oid: number, parser: string] {
  const parserOf = types.getTypeParser as (type: number, format: 'text') => unknown;
  const parser = parserOf(oid, 'text');
  const isPlain = parser === parserOf(NO_TYPE, 'text');
  return [oid >= FIRST_NORMAL_OID && isPlain ? NO_TYPE : oid, String(parser)];
}

export function createAnswer(): Answer {
  const commands: string[] = [];
  const hash = createHash('sha256');
  const note = (parts: readonly (string | number | null)[]) => hash.update(`${JSON.stringify(parts)}\n`);
  return {
    take(message) {
      if ('text' in message) {
        commands.push(message.text);
        note([message.text]);
      } else if (message.name === 'dataRow') note(message.fields);
      else note(message.fields.flatMap(({ name, dataTypeID }) => [name, ...typeOf(dataTypeID)]));
    },
    nameOf: (part) =>
      part === 'counts' ? `counts:${commands.join(',')}` : `rows:${hash.copy().digest('base64url')}`,
  };
}

/** Whether an answer is the named one, as far as it was read. */
export function isAnswer(name: string, answer: Answer): boolean {
  return answer.nameOf(name.startsWith('counts:') ? 'counts' : 'rows') === name;
}
