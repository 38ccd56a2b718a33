import { expect, test } from 'vitest';
import { destructionIn } from '../../../src/core/statements/destruction.ts';

test('what destroys data whatever is in the tables is named, in a part of a statement too', async () => {
  const sql = `DROP TABLE notes, app.tags; DROP SCHEMA old CASCADE; TRUNCATE notes, app.tags;
    DELETE FROM notes; ALTER TABLE notes DROP COLUMN text, ADD COLUMN title text;
    WITH gone AS (DELETE FROM app.tags RETURNING id) INSERT INTO notes SELECT id FROM gone`;
  expect(await destructionIn(sql)).toEqual([
    'DROP TABLE notes, app.tags',
    'DROP SCHEMA old',
    'TRUNCATE notes, app.tags',
    'DELETE FROM notes',
    'DROP COLUMN text',
    'DELETE FROM app.tags',
  ]);
});

test('what can be made again, or says which rows, is not', async () => {
  const sql = `DELETE FROM notes WHERE id < 10; UPDATE notes SET done = true; DROP INDEX notes_text;
    DROP VIEW recent; DROP FUNCTION f(int); ALTER TABLE notes DROP CONSTRAINT notes_check; SELECT 1`;
  expect(await destructionIn(sql)).toEqual([]);
});
