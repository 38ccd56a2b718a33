import { expect, test } from 'vitest';
import { compileStep, transactionsOf, type Testimony } from '../../../src/core/strategy/compiled.ts';
import type { History } from '../../../src/core/target/history.ts';
import { type Plan, historyAfter } from '../../../src/core/plan/plan.ts';

function planOf(...names: string[]): Plan {
  const steps = names.map((name) => ({ name, file: { name, path: `/${name}` } }));
  return { steps, batch: 3, warnings: [] } as unknown as Plan;
}

/** What one tenant was sent: texts, an answer after `?`, or the reason why others may be sent something else. */
function testimony(texts: readonly string[], dependence?: string): Testimony {
  const pieces = texts.map((each) => {
    const [text = '', answer] = each.split('?');
    return answer === undefined ? { text } : { text, answer };
  });
  return { pieces, dependence };
}

function compiledFrom(seen: readonly Testimony[], more: Partial<Parameters<typeof compileStep>[1]> = {}) {
  const testimonies = seen.map((each) => new Map([['a.js', each]]));
  return compileStep('a.js', { testimonies, kept: new Map(), varying: new Map(), ...more });
}

const PIECES = [{ text: 'A' }, { text: 'B', answer: 'x' }];

test('what two tenants were sent alike, and answered alike, is what all are sent', () => {
  const one = testimony(['A', 'B?x']);
  expect(compiledFrom([one, one])).toEqual({ name: 'a.js', needsCommit: false, pieces: PIECES });
  expect(compiledFrom([one]), 'another tenant has to show it').toBeUndefined();
  expect(compiledFrom([])).toBeUndefined();
});

test('what one tenant was sent is enough if nothing but its answers can decide about it', () => {
  const certain = { ...testimony(['A', 'B?x']), isCertain: true };
  const sent = { name: 'a.js', needsCommit: false, pieces: PIECES };
  expect(compiledFrom([certain])).toEqual(sent);
  expect(compiledFrom([certain], { isDoubted: true }), 'it did not fit another tenant').toBeUndefined();
  expect(compiledFrom([certain, certain], { isDoubted: true })).toEqual(sent);
  const other = { ...testimony(['A', 'B?y']), isCertain: true };
  expect(compiledFrom([certain, other])).toMatchObject({
    interactive: 'two tenants answered it differently',
  });
  const dependent = { ...testimony(['A'], 'it looks around'), isCertain: true };
  expect(compiledFrom([dependent])).toMatchObject({ interactive: 'it looks around' });
});

test('what earlier runs have kept needs no other tenant, unless one is sent something else', () => {
  const kept = { kept: new Map([['a.js', { shown: { pieces: PIECES } }]]) };
  const sent = { name: 'a.js', needsCommit: false, pieces: PIECES };
  expect(compiledFrom([], kept)).toEqual(sent);
  expect(compiledFrom([testimony(['A', 'B?x'])], kept)).toEqual(sent);
  const other = testimony(['A']);
  expect(compiledFrom([other], kept)).toBeUndefined();
  expect(compiledFrom([other, other], kept)).toMatchObject({ pieces: [{ text: 'A' }] });
});

test('what earlier runs have found to differ runs with Knex, unless two tenants show the same now', () => {
  const interactive = 'tenants answer it differently';
  const kept = { kept: new Map([['a.js', { shown: { interactive, needsCommit: true } }]]) };
  expect(compiledFrom([], kept)).toEqual({ name: 'a.js', needsCommit: true, interactive });
  const one = testimony(['A']);
  expect(compiledFrom([one], kept)).toMatchObject({ interactive });
  expect(compiledFrom([one, one], kept)).toMatchObject({ pieces: [{ text: 'A' }] });
});

test.each<[string, readonly string[], readonly string[]]>([
  ['another text', ['A'], ['B']],
  ['one more', ['A'], ['A', 'B']],
  ['one less', ['A', 'B'], ['A']],
  ['another order', ['A', 'B'], ['B', 'A']],
  ['a blank more', ['A'], ['A ']],
  ['another cut', ['A;B'], ['A', 'B']],
])('two tenants that were sent different things speak for themselves only: %s', (_, one, other) => {
  const reason = 'it sent different statements to two tenants';
  expect(compiledFrom([testimony(one), testimony(other)])).toMatchObject({ interactive: reason });
});

test('nor do two that answered differently, or of which one was not asked', () => {
  const reason = { interactive: 'two tenants answered it differently' };
  expect(compiledFrom([testimony(['A?x']), testimony(['A?y'])])).toMatchObject(reason);
  expect(compiledFrom([testimony(['A?x']), testimony(['A'])])).toMatchObject(reason);
});

test('one reason is enough, whoever shows it, and that of the code comes first', () => {
  const [plain, dependent] = [testimony(['A']), testimony(['A'], 'it looks around')];
  expect(compiledFrom([plain, dependent])).toMatchObject({ interactive: 'it looks around' });
  expect(compiledFrom([dependent])).toMatchObject({ interactive: 'it looks around' });
  const varying = new Map([['a.js', 'it uses the clock']]);
  expect(compiledFrom([plain, dependent], { varying })).toMatchObject({ interactive: 'it uses the clock' });
  expect(compiledFrom([], { varying })).toMatchObject({ interactive: 'it uses the clock' });
});

test('a step that needs a COMMIT ends a transaction, but for the last', () => {
  const step = (name: string, needsCommit: boolean) => ({ name, needsCommit, pieces: [] });
  const steps = [step('a', false), step('b', true), step('c', false), step('d', true)];
  const names = transactionsOf(steps).map((each) => each.map(({ name }) => name));
  expect(names).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ]);
});

test('the history afterwards has the rows more, or less, that the plan says', () => {
  const history = {
    entries: [
      { name: '1_a.js', batch: 1 },
      { name: '2_b.js', batch: 2 },
    ],
    lockedByKnex: false,
  } as History;
  expect(historyAfter(history, planOf('3_c.js', '4_d.js'), 'up')).toEqual([
    { name: '1_a.js', batch: 1 },
    { name: '2_b.js', batch: 2 },
    { name: '3_c.js', batch: 3 },
    { name: '4_d.js', batch: 3 },
  ]);
  expect(historyAfter(history, planOf('2_b.js'), 'down')).toEqual([{ name: '1_a.js', batch: 1 }]);
  expect(historyAfter(history, planOf('2_b.js', '1_a.js'), 'down')).toEqual([]);
});
