import { expect, test } from 'vitest';
import { catalogQuestion } from '../../../src/core/statements/catalog-question.ts';

test.each([
  [`SELECT 1 FROM information_schema.columns WHERE table_name = 'users'`, 'information_schema.columns'],
  [`select * from "information_schema"."tables" where "table_name" = $1`, 'information_schema.tables'],
  [`SELECT 1 FROM pg_tables WHERE tablename = 'users'`, 'pg_tables'],
  [`SELECT 1 FROM pg_catalog.pg_indexes WHERE indexname = 'i'`, 'pg_catalog.pg_indexes'],
  [
    `SELECT a.attname FROM pg_attribute a JOIN pg_class c ON a.attrelid = c.oid WHERE relname = 'u'`,
    'pg_attribute',
  ],
  [
    `DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_type WHERE typname = 'mood') THEN CREATE TYPE mood AS ENUM (); END IF; END $$`,
    'pg_type',
  ],
  [
    `SELECT 1 FROM pg_class WHERE relnamespace = 1; SELECT 1 FROM pg_constraint -- the schema is not named`,
    'pg_constraint',
  ],
  [`SELECT 1 FROM pg_proc /* schema */ WHERE proname = 'f'`, 'pg_proc'],
])('%s sees the objects of all schemas', (text, relation) => {
  expect(catalogQuestion(text)).toBe(relation);
});

test.each([
  `select * from information_schema.tables where table_name = $1 and table_schema = current_schema()`,
  `SELECT 1 FROM pg_constraint WHERE conrelid = 'users'::regclass`,
  `SELECT 1 FROM pg_type WHERE oid = to_regtype('mood')`,
  `SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE n.nspname = 'a'`,
  `SELECT 1 FROM pg_class WHERE pg_table_is_visible(oid) AND relname = 'users'`,
  `SELECT 1 FROM pg_extension WHERE extname = 'vector'`,
  `SELECT 1 FROM pg_roles`,
  `SELECT nspname FROM pg_namespace`,
  `SELECT schema_name FROM information_schema.schemata`,
  `CREATE TABLE pg_tables_of_ours (id int)`,
  `INSERT INTO notes VALUES ('taken from pg')`,
])('%s does not', (text) => {
  expect(catalogQuestion(text)).toBeUndefined();
});
