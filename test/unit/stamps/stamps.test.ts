import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { digestOf } from '../../../src/core/stamps/stamps.ts';

const separators = fc.constantFrom('a', '1', '\u001e', '\u001f', 'é');
const histories = fc.array(
  fc.record({
    name: fc.array(separators, { maxLength: 6 }).map((parts) => parts.join('')),
    batch: fc.integer({ min: 0, max: 11 }),
  }),
  { maxLength: 3 },
);

test('histories that differ have digests that differ, also where names hold what separates them', () => {
  fc.assert(
    fc.property(histories, histories, (one, other) => {
      expect(digestOf(one) === digestOf(other)).toBe(JSON.stringify(one) === JSON.stringify(other));
    }),
    { numRuns: 2_000 },
  );
  expect(digestOf([{ name: 'a\u001e1\u001f1\u001fb', batch: 1 }])).not.toBe(
    digestOf([
      { name: 'a', batch: 1 },
      { name: 'b', batch: 1 },
    ]),
  );
});

test('a digest has the form of a uuid, and stays what it is from one release to the next', () => {
  expect(digestOf([])).toBe('e3b0c442-98fc-1c14-9afb-f4c8996fb924');
  expect(digestOf([{ name: '1_notes.js', batch: 1 }])).toBe('30c8db9e-db37-e598-2e78-a7a8f516df58');
});
