import { expect, test } from 'vitest';
import { needsCommit } from '../../../src/core/statements/needs-commit.ts';

test.each([
  `ALTER TYPE colour ADD VALUE 'blue'`,
  `alter type "c"\n  add -- a comment\n value if not exists 'blue'`,
  `DO $$ BEGIN EXECUTE format('ALTER TYPE %I ADD VALUE %L', 'colour', 'blue'); END $$`,
  'CREATE TEMP TABLE t ON COMMIT DROP AS SELECT 1',
  'SET CONSTRAINTS ALL DEFERRED',
])('a COMMIT follows: %s', (text) => {
  expect(needsCommit(text)).toBe(true);
});

test.each([
  'ALTER TABLE prices ADD value int',
  'ALTER TYPE colour RENAME TO color; ALTER TABLE prices ADD value int',
  'CREATE TEMP TABLE t AS SELECT 1',
])('no COMMIT is needed: %s', (text) => {
  expect(needsCommit(text)).toBe(false);
});
