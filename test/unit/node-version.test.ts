import { expect, test } from 'vitest';
import { refuseOldNode } from '../../src/node-version.ts';

test('a Node.js on which calls would never end is refused', () => {
  expect(() => refuseOldNode('20.20.2')).toThrow('tenantctl needs Node.js 22.18 or newer; this is 20.20.2.');
  expect(() => refuseOldNode('22.18.0')).not.toThrow();
});
