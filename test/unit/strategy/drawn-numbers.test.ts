import { expect, test } from 'vitest';
import { withoutLostNumbers } from '../../../src/core/strategy/drawn-numbers.ts';

const INSERT = { text: 'insert into items default values' };
const READ = { text: 'select 1', answer: 'rows:a' };

const step = (name: string, ...pieces: readonly { text: string; answer?: string }[]) => ({
  name,
  needsCommit: false,
  pieces,
});

/** The steps that are left to Knex. */
const leftToKnex = (...steps: Parameters<typeof withoutLostNumbers>[0]) =>
  withoutLostNumbers(steps).flatMap(({ name, ...rest }) => ('interactive' in rest ? [name] : []));

test('a step that reads after a number was drawn in its transaction is left to Knex', () => {
  expect(leftToKnex(step('a', READ), step('b', INSERT), step('c', READ), step('d', INSERT))).toEqual(['c']);
  expect(leftToKnex(step('a', INSERT, READ))).toEqual(['a']);
  expect(leftToKnex(step('a', READ, INSERT))).toEqual([]);
  expect(leftToKnex(step('a', { text: "SELECT nextval('ids')", answer: 'rows:a' }))).toEqual(['a']);
});

test('what Knex sends may draw numbers', () => {
  expect(leftToKnex({ name: 'a', needsCommit: false, interactive: 'why' }, step('b', READ))).toEqual([
    'a',
    'b',
  ]);
});

test('a number that was committed is not lost', () => {
  expect(leftToKnex({ ...step('a', INSERT), needsCommit: true }, step('b', READ))).toEqual([]);
});
