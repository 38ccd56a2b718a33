import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Knex } from 'knex';
import { expect, test } from 'vitest';
import { loadMigration } from '../../../src/core/files/load.ts';
import { readMigrationFolder, type MigrationFile } from '../../../src/core/files/source.ts';
import { createProject } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

/** Writes files and loads the one in migrations/tenants. */
async function load(files: Readonly<Record<string, string>>) {
  const project = await createProject(files);
  const folder = await readMigrationFolder(project.tenants);
  const [file] = folder.files;
  if (file === undefined || folder.files.length > 1) throw new Error('the test needs exactly one migration');
  return loadMigration(file);
}

const UP_AND_DOWN = 'export async function up() {}\nexport async function down() {}\n';
const COMMON_JS = 'exports.up = async () => {};\nexports.down = async () => {};\n';

test.each<[string, Record<string, string>]>([
  ['.mjs', { 'migrations/tenants/1.mjs': UP_AND_DOWN }],
  ['.cjs', { 'migrations/tenants/1.cjs': COMMON_JS }],
  [
    '.js in a package of ES modules',
    { 'package.json': '{"type":"module"}', 'migrations/tenants/1.js': UP_AND_DOWN },
  ],
  ['.js in a package without type', { 'package.json': '{}', 'migrations/tenants/1.js': COMMON_JS }],
  ['.mts', { 'migrations/tenants/1.mts': UP_AND_DOWN }],
  ['.cts', { 'migrations/tenants/1.cts': COMMON_JS }],
  [
    '.ts in CommonJS, with the default export that a compiler leaves',
    {
      'migrations/tenants/1.ts': 'export default { async up() {}, async down() {} };',
    },
  ],
  [
    'an enum, which needs more than its types stripped',
    {
      'package.json': '{"type":"module"}',
      'migrations/tenants/1.ts': `enum Color { Red }\nexport const seen = Color.Red;\n${UP_AND_DOWN}`,
    },
  ],
  [
    'an import without extension',
    {
      'package.json': '{"type":"module"}',
      'lib/names.ts': 'export const table = "a";',
      'migrations/tenants/1.ts': `import { table } from '../../lib/names';\nexport const seen = table;\n${UP_AND_DOWN}`,
    },
  ],
  [
    'a type imported as if it were a value',
    {
      'package.json': '{"type":"module"}',
      'lib/names.ts': 'export interface Name { a: string }',
      'migrations/tenants/1.ts': `import { Name } from '../../lib/names.ts';\nexport let seen: Name;\n${UP_AND_DOWN}`,
    },
  ],
])('loads: %s', async (_, files) => {
  const migration = await load(files);
  expect(migration.up).toBeTypeOf('function');
  expect(migration.down).toBeTypeOf('function');
  expect(migration.upInTransaction).toBe(true);
});

test('config = { transaction: false } takes both directions out of the transaction', async () => {
  const migration = await load({
    'migrations/tenants/1.mjs': `${UP_AND_DOWN}export const config = { transaction: false };`,
  });
  expect(migration).toMatchObject({ upInTransaction: false, downInTransaction: false });
});

test('a file without down loads: it only cannot be undone', async () => {
  const migration = await load({ 'migrations/tenants/1.mjs': 'export function up() {}' });
  expect(migration.down).toBeUndefined();
});

test.each<[string, string, RegExp, RegExp]>([
  ['no up', 'export const down = () => {};', /1\.mjs exports no function "up"/, /two functions/],
  ['an up that is no function', 'export const up = 1;', /exports no function "up"/, /two functions/],
  [
    'a down that is no function',
    'export const up = () => {}; export const down = 1;',
    /"down" that is no function/,
    /^$/,
  ],
  ['a syntax error', '\n\nexport function up( {}', /1\.mjs cannot be loaded/, /Correct 1\.mjs/],
  [
    'an import that throws',
    'throw new Error("no such key");',
    /cannot be loaded: no such key/,
    /nothing has been changed/,
  ],
  [
    'a package that is not installed',
    'import "not-there-at-all";',
    /not-there-at-all/,
    /Install what it imports/,
  ],
])('refused: %s', async (_, text, message, hint) => {
  const refusal = await refusalOf(load({ 'migrations/tenants/1.mjs': text }));
  expect(refusal).toMatchObject({ code: 'MIGRATION_INVALID', migration: '1.mjs' });
  expect(refusal.message).toMatch(message);
  expect(refusal.hint ?? '').toMatch(hint);
});

test.each(['1.sql', '1.js', '1.ts'])('%s in another encoding is refused with line and byte', async (name) => {
  const project = await createProject();
  const text = name.endsWith('.sql')
    ? "-- migrate:up\nSELECT 'M\xFCller';\n"
    : "\nexports.up = (k) => k.raw('M\xFC');\n";
  await writeFile(join(project.tenants, name), text, 'latin1');
  const [file] = (await readMigrationFolder(project.tenants)).files;
  expect(await refusalOf(loadMigration(file as MigrationFile))).toMatchObject({
    code: 'MIGRATION_INVALID',
    message: `${name} is not UTF-8: byte 0xFC in line 2; save it as UTF-8.`,
    at: `${name}:2`,
    hint: expect.stringContaining('iconv'),
  });
});

/** What tsx and ts-node load. Each line of SEEN is what `up` returns. */
const AS_UNDER_TSX = `import * as fs from 'fs';
  import path from 'path';
  import type { Knex } from 'knex';
  import { USERS } from '@app/names';
  import { here } from '../../lib';
  import { USERS as compiled } from '../../lib/names.js';
  import { USERS as fromBase } from 'lib/names';
  import data from '../../lib/data.json';
  namespace Outer { export const inner = 'namespace'; }
  const enum Kind { One = 'enum' }
  class Named { constructor(readonly name: string) {} }
  export async function up(knex: Knex): Promise<unknown> {
    const { USERS: later } = await import('@app/names');
    const { USERS: required } = require('../../lib/names');
    const isThere = fs.existsSync(path.join(__dirname, path.basename(__filename)));
    return [USERS, compiled, fromBase, later, required, here(), data.a, Outer.inner, Kind.One, new Named('property').name, isThere];
  }`;
const SEEN = [...Array<string>(5).fill('users'), 'lib', 1, 'namespace', 'enum', 'property', true];

test.each([
  ['without "type"', '{}'],
  ['"commonjs"', '{"type":"commonjs"}'],
  ['"module"', '{"type":"module"}'],
])('TypeScript as under tsx loads, in a package of type: %s', async (_, manifest) => {
  const { up } = await load({
    'package.json': manifest,
    'tsconfig.json':
      '{ "compilerOptions": { "baseUrl": ".", "paths": { "@app/*": ["lib/*"] } } } // a comment',
    'lib/names.ts': 'export const USERS: string = "users";',
    'lib/index.ts': 'import { basename } from "path";\nexport const here = () => basename(__dirname);',
    'lib/data.json': '{"a":1}',
    'migrations/tenants/1.ts': AS_UNDER_TSX,
  });
  expect(await (up as (knex?: Knex) => unknown)()).toEqual(SEEN);
});

test.each([
  ['nothing but the type Knex, by Node', '', true],
  [
    'more beside it, by jiti, which gives that CommonJS names',
    `import { here } from '../../lib/here';`,
    false,
  ],
])('a file that imports %s', async (_, more, isByNode) => {
  const { up } = await load({
    'package.json': '{}',
    'lib/here.ts': 'export const here = () => __dirname;',
    'migrations/tenants/1.ts': `import { Knex } from 'knex';\n${more}
      const frame = (): string => String(new Error().stack).split('\\n')[1] ?? '';
      export async function up(knex: Knex): Promise<string> { ${more && 'here();'} return frame(); }`,
  });
  const seen = await (up as (knex?: Knex) => unknown)();
  expect(String(seen).includes('file://')).toBe(isByNode);
});

const DEFAULT_OF_A_COMPILED_PACKAGE = `import type { Knex } from 'knex';
  import compiled from 'compiled';
  export const up = async (knex: Knex) => [compiled.is, compiled.default?.is, typeof (await import('plain')).default];`;

test.each([
  ['without "type"', '{}', '', ['is', undefined]],
  ['none, with an await at the top level', '{}', 'enum Kind { One } await 1;', [undefined, 'is']],
  ['"commonjs"', '{"type":"commonjs"}', 'enum Kind { One }', ['is', undefined]],
  ['"module"', '{"type":"module"}', 'enum Kind { One }', [undefined, 'is']],
])('a default import is what it is under tsx, in a package of type: %s', async (_, manifest, more, seen) => {
  const ofPackage = (code: string) => `Object.assign(exports, { __esModule: true }); ${code}`;
  const { up } = await load({
    'package.json': manifest,
    'node_modules/compiled/index.js': ofPackage('exports.default = { is: "is" };'),
    'node_modules/plain/index.js': 'module.exports = () => {}; module.exports.named = 1;',
    'migrations/tenants/1.ts': `${more}\n${DEFAULT_OF_A_COMPILED_PACKAGE}`,
  });
  expect(await (up as (knex?: Knex) => unknown)()).toEqual([...seen, 'function']);
});

test('JavaScript that imports TypeScript of the project, as under tsx, loads', async () => {
  const migration = await load({
    'package.json': '{"type":"module"}',
    'tsconfig.json': '{ "extends": "@tsconfig/not-installed" }',
    'lib/names.ts': 'export const USERS: string = "users";',
    'migrations/tenants/1.js': `import { USERS } from '../../lib/names';\nexport const up = () => USERS;`,
  });
  expect((migration.up as () => unknown)()).toBe('users');
});

const TYPELESS = { 'package.json': '{}' };
const MODULE = { 'package.json': '{"type":"module"}' };

test.each<[string, string, Record<string, string>]>([
  [
    '1.mjs:3:13',
    'an ES module',
    { 'migrations/tenants/1.mjs': 'export function up() {\n\n  const a = = 1;\n}\n' },
  ],
  ['1.js:2:3', 'a .js module', { ...MODULE, 'migrations/tenants/1.js': 'export const up = 1;\n  ) \n' }],
  ['1.cjs:2:6', 'CommonJS', { 'migrations/tenants/1.cjs': 'exports.up = () => {};\nlet =;\n' }],
  [
    '1.ts:3:13',
    'TypeScript',
    { ...MODULE, 'migrations/tenants/1.ts': 'export function up(a: string) {\n\n  const b = ;\n}\n' },
  ],
  [
    '1.ts:4:13',
    'TypeScript with an enum',
    {
      ...TYPELESS,
      'migrations/tenants/1.ts': 'enum A { B }\nexport function up(a: string) {\n\n  const b = ;\n}\n',
    },
  ],
  [
    '../../lib/a.mjs:2:1',
    'an import',
    {
      'lib/a.mjs': 'export const a = 1;\n)\n',
      'migrations/tenants/1.mjs': `import '../../lib/a.mjs';\n${UP_AND_DOWN}`,
    },
  ],
  [
    '1.mjs:1:10',
    'an import of nothing',
    {
      'lib/a.mjs': 'export const a = 1;\n',
      'migrations/tenants/1.mjs': `import { b } from '../../lib/a.mjs';\n${UP_AND_DOWN}`,
    },
  ],
  [
    '../../lib/a.ts:2:37',
    'an import that throws',
    {
      ...MODULE,
      'lib/a.ts': 'interface A { a: string }\nexport const b = (undefined as any).c;\n',
      'migrations/tenants/1.ts': `import '../../lib/a.ts';\n${UP_AND_DOWN}`,
    },
  ],
])('the error of a file that does not load names the place: %s, %s', async (at, _, files) => {
  expect(await refusalOf(load(files))).toMatchObject({ code: 'MIGRATION_INVALID', at });
});

test.for([UP_AND_DOWN, `import 'node:fs';\n${UP_AND_DOWN}`])(
  'an ES module in a package of CommonJS is refused with both ways out',
  async (text) => {
    const refusal = load({ 'package.json': '{"type":"commonjs"}', 'migrations/tenants/1.js': text });
    await expect(refusal).rejects.toMatchObject({
      code: 'MIGRATION_INVALID',
      hint: expect.stringMatching(/write exports\.up, or name it \.mjs/),
    });
  },
);

test('CommonJS in a package of ES modules is refused with both ways out', async () => {
  const refusal = load({ 'package.json': '{"type":"module"}', 'migrations/tenants/1.js': COMMON_JS });
  await expect(refusal).rejects.toMatchObject({
    code: 'MIGRATION_INVALID',
    hint: expect.stringMatching(/export async function up, or name it \.cjs/),
  });
});
