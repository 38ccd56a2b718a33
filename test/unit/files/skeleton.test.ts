import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import {
  isSeedSkeleton,
  isSkeleton,
  seedSkeletonFor,
  skeletonFor,
} from '../../../src/core/files/skeleton.ts';

const MADE = {
  ts: skeletonFor('.ts', 'commonjs'),
  mjs: skeletonFor('.mjs', 'commonjs'),
  cjs: skeletonFor('.cjs', 'module'),
  sql: skeletonFor('.sql', 'module'),
};
const formatOf = (name: string) => (name === 'sql' ? 'sql' : 'module');

const KNEX = new URL('../../../node_modules/knex/lib/migrations/migrate/stub/', import.meta.url);

/** What Knex's `migrate:make` writes. */
async function knexStub(extension: string): Promise<string> {
  const text = await readFile(new URL(`${extension}.stub`, KNEX), 'utf8');
  return text
    .replaceAll(/<% if \(d\.tableName\) \{ %>[^]*?<% \} else \{ %>/g, '')
    .replaceAll(/<% if \(d\.tableName\) \{ %>[^]*?<% \} %>/g, '')
    .replaceAll('<% } %>', '');
}

test.each(Object.entries(MADE))('what make wrote as .%s is a skeleton', (name, text) => {
  const of = (changed: string) => isSkeleton(changed, formatOf(name));
  const sign = name === 'sql' ? '--' : '//';
  expect(of(text)).toBe(true);
  expect(of(`\uFEFF${text.replaceAll('\n', '\r\n')}\n\n`)).toBe(true);
  expect(of(`${sign} adds a table; TODO\n${text}\n  ${sign} the end\n/* or is it */\n`)).toBe(true);
  expect(of(text.replaceAll('{\n}', '{}').replaceAll("'", '"').replaceAll(';', ''))).toBe(true);
});

test.each(['js', 'mjs', 'cjs', 'ts'])("Knex's own .%s skeleton is one", async (extension) => {
  const text = await knexStub(extension);
  expect(text).not.toContain('<%');
  expect(isSkeleton(text, 'module')).toBe(true);
});

test.each([
  MADE.ts.replace('{\n}', "{\n  await knex.raw('SELECT 1');\n}"),
  MADE.cjs.replace('exports.down', 'exports.config = { transaction: false };\nexports.down'),
  MADE.mjs.replace('{\n}', '{\n  return;\n}'),
  `import { make } from '../make.js';\n${MADE.mjs}`,
  // On purpose, by hand:
  'export async function up() {}\nexport async function down() {}\n',
  MADE.mjs.slice(0, MADE.mjs.lastIndexOf('/**')),
  MADE.cjs.replace('{\n}', '{\n  // Moved to 20260101000000_items.cjs.\n}'),
  MADE.ts.replaceAll('{\n}', '{\n  /* Does nothing\n     since 2026. */\n}'),
])('an edited module is none: %s', (text) => {
  expect(isSkeleton(text, 'module')).toBe(false);
});

test.each([
  '-- migrate:up\nCREATE TABLE t ();\n-- migrate:down\n',
  '-- migrate:up\n-- migrate:down\nDROP TABLE t;\n',
  '-- migrate:up transaction:false\n-- migrate:down\n',
  '-- migrate:up\n',
  '-- migrate:up\n-- Moved to another file.\n-- migrate:down\n',
])('an edited .sql file is none: %s', (text) => {
  expect(isSkeleton(text, 'sql')).toBe(false);
});

test.each(['.ts', '.mjs', '.cjs', '.sql'])('what make wrote as a seed in %s is a skeleton', (extension) => {
  const format = formatOf(extension.slice(1));
  const text = seedSkeletonFor(extension, 'module');
  expect(isSeedSkeleton(text, format)).toBe(true);
  expect(isSeedSkeleton(`\uFEFF${text.replaceAll('\n', '\r\n')}\n`, format)).toBe(true);
  const filled =
    format === 'sql' ? `${text}DELETE FROM t;` : text.replace('{\n}', "{\n  await knex('t').del();\n}");
  expect(isSeedSkeleton(filled, format)).toBe(false);
});

test('comment signs around the SQL of a seed do not hide it', () => {
  expect(isSeedSkeleton('-- /*\nDELETE FROM t;\n-- */', 'sql')).toBe(false);
  expect(isSeedSkeleton('/* DELETE FROM t; */ ;\n', 'sql')).toBe(true);
});
