import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { historyReader } from '../../../src/core/target/history.ts';
import { lastBatch } from '../../../src/core/plan/plan.ts';

const entry = fc.record({
  batch: fc.nat(9_999),
  name: fc.string({ unit: 'grapheme', minLength: 1 }).filter((name) => !name.includes('\u001e')),
});

test('rows that the server has joined into one text are taken apart again', () => {
  fc.assert(
    fc.property(fc.array(entry), (entries) => {
      const text = entries.map(({ batch, name }) => `${batch}\u001f${name}`).join('\u001e');
      const history = historyReader()({ entries: text === '' ? null : text, locked: false });
      expect(history).toEqual({ entries, lockedByKnex: false });
    }),
  );
});

test('equal histories are one object, so that 50,000 tenants have few plans', () => {
  const read = historyReader();
  const [a, b] = [0, 1].map(() => read({ entries: '1\u001f1_a.ts', locked: false }));
  expect(a?.entries).toBe(b?.entries);
});

test('the last batch is the highest number, not that of the last row', () => {
  const history = {
    entries: [
      { name: 'a', batch: 3 },
      { name: 'b', batch: 2 },
    ],
    lockedByKnex: false,
  };
  expect(lastBatch(history)).toBe(3);
  expect(lastBatch({ entries: [], lockedByKnex: false })).toBe(0);
});
