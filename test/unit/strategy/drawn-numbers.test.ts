import { expect, test } from 'vitest';
import { withoutLostNumbers, type Numbers } from '../../../src/core/strategy/drawn-numbers.ts';

const INSERT = { text: 'insert into items default values' };
const READ = { text: 'select 1', answer: 'rows:a' };

const step = (name: string, ...pieces: readonly { text: string; answer?: string }[]) => ({
  name,
  needsCommit: false,
  pieces,
});

/** The steps that are left to Knex. */
const leftToKnex = (...steps: Parameters<typeof withoutLostNumbers>[0]) =>
  withoutLostNumbers(steps, { hasSequences: true, drawnBy: ['next_code'] }).flatMap(({ name, ...rest }) =>
    'interactive' in rest ? [name] : [],
  );

test('a step that reads after a number was drawn in its transaction is left to Knex', () => {
  expect(leftToKnex(step('a', READ), step('b', INSERT), step('c', READ), step('d', INSERT))).toEqual(['c']);
  expect(leftToKnex(step('a', INSERT, READ))).toEqual(['a']);
  expect(leftToKnex(step('a', READ, INSERT))).toEqual([]);
  expect(leftToKnex(step('a', { text: "SELECT nextval('ids')", answer: 'rows:a' }))).toEqual(['a']);
});

test('what a trigger or a function may draw counts only where there is one that draws', () => {
  const update = { text: 'UPDATE items SET a = 1', answer: 'counts:UPDATE 1' };
  const call = { text: 'select "Next_Code"()', answer: 'rows:a' };
  expect(leftToKnex(step('a', update))).toEqual(['a']);
  expect(leftToKnex(step('a', call))).toEqual(['a']);
  const left = (numbers: Numbers) =>
    withoutLostNumbers([step('a', update), step('b', call)], numbers).filter((one) => 'interactive' in one);
  expect(left({ hasSequences: true, drawnBy: [] })).toEqual([]);
  expect(left({ hasSequences: false, drawnBy: ['next_code'] })).toEqual([]);
});

test('a nested transaction that draws a number is left to Knex: it may catch what fails', () => {
  const [begin, end] = [{ text: 'SAVEPOINT trx1' }, { text: 'RELEASE SAVEPOINT trx1' }];
  expect(leftToKnex(step('a', begin, INSERT, end))).toEqual(['a']);
  expect(leftToKnex(step('a', begin, end, INSERT))).toEqual([]);
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
