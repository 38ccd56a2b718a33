import { expect, test } from 'vitest';
import { refusedInCode, refusedOnNodes } from '../../../src/core/doctor/refused-on-nodes.ts';

const LOCAL = new Set(['countries']);

test.each([
  ['CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()', 'triggers'],
  ['DO $$ BEGIN CREATE TABLE x (n int); END $$', 'stays on the coordinator'],
  [`CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS 'begin create table x (n int); end'`, 'stays on'],
  ['ALTER TABLE a ADD COLUMN s bigserial', 'serial'],
  ['ALTER TABLE a ADD COLUMN i int GENERATED ALWAYS AS IDENTITY', 'IDENTITY'],
  ['ALTER TABLE a ADD COLUMN i int CHECK (i > 0)', 'ADD COLUMN with CHECK'],
  ['ALTER TABLE a ADD COLUMN i int, ADD CONSTRAINT c CHECK (i > 0)', 'ADD CONSTRAINT beside other parts'],
  ['ALTER TABLE a ALTER COLUMN i DROP EXPRESSION', 'DROP EXPRESSION'],
  ['ALTER TABLE a RENAME CONSTRAINT x TO y', 'RENAME CONSTRAINT'],
  ['ALTER SEQUENCE s RESTART', 'ALTER SEQUENCE'],
  ['CREATE TABLE b (c int REFERENCES public.countries)', 'a foreign key to public.countries'],
  ['ALTER TABLE b ADD CONSTRAINT f FOREIGN KEY (c) REFERENCES public.countries', 'a foreign key to'],
])('%s is named with the reason', async (statement, reason) => {
  const found = await refusedOnNodes('1_a.sql', `CREATE TABLE ok (n int);\n${statement};`, LOCAL);

  expect(found).toEqual([
    {
      file: '1_a.sql',
      statement: expect.stringContaining(statement.slice(0, 20)) as string,
      reason: expect.stringContaining(reason) as string,
    },
  ]);
});

test('what nodes take is not named', async () => {
  const sql = `CREATE TABLE a (id serial PRIMARY KEY, i int CHECK (i > 0), c int REFERENCES public.regions, b int REFERENCES a);
    ALTER TABLE a ADD COLUMN d int, ADD COLUMN e text; ALTER TABLE a ADD CONSTRAINT c CHECK (d > 0);
    DO $$ BEGIN UPDATE a SET i = 1; END $$; ALTER TABLE a RENAME COLUMN e TO f;`;

  expect(await refusedOnNodes('1_a.sql', sql, LOCAL)).toEqual([]);
});

test('in code, literal SQL and added columns are named, and statements that go only by themselves', async () => {
  const found = await refusedInCode(
    '1_a.js',
    `exports.up = async (knex) => {
       await knex.raw('CREATE TABLE a (b int); CREATE INDEX ON a (b); ALTER TABLE a ADD COLUMN c int');
       await knex.raw('CREATE INDEX ON a (b)');
       await knex.raw('CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()');
       await knex.raw('Create something that is no SQL');
       await knex.schema.alterTable('a', (t) => { t.increments(); t.string('d'); });
     };`,
    false,
    LOCAL,
  );

  expect(found.map(({ statement, reason }) => [statement, reason])).toEqual([
    ['CREATE INDEX ON a (b)', 'beside others in one text'],
    [expect.stringMatching(/^CREATE TRIGGER t /), 'tables on nodes have no triggers'],
    ['alterTable() with increments()', 'ADD COLUMN with a serial type'],
  ]);
});
