import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CodeDigests } from '../../../src/core/code/code-files.ts';
import { examineCode } from '../../../src/core/code/examine-code.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'code-')));
afterAll(() => {
  rmSync(root, { recursive: true });
});

let count = 0;

/** Examines `1_a.js` among other files, as a process does that was started after they were written. */
async function examine(files: Readonly<Record<string, string>>, name = '1_a.js') {
  const folder = join(root, String((count += 1)), 'migrations');
  mkdirSync(folder, { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const digests = new CodeDigests({ loadedSince: Date.now() + 60_000 });
  const format = name.endsWith('.sql') ? 'sql' : 'module';
  const verdict = await examineCode({ name, stem: name, path: join(folder, name), format }, digests);
  return { ...verdict, folder, digests };
}

const up = (body: string) => `exports.up = async (knex) => { ${body} };`;

const PURE: readonly (readonly [string, string])[] = [
  ['sends statements', up("await knex.schema.createTable('t', (t) => { t.increments(); })")],
  [
    'uses an answer',
    up("const rows = await knex('t').select(); for (const { id } of rows) await knex('u').insert({ id })"),
  ],
  [
    'has constants and helpers',
    `const LIST = ['a', 'b']; const say = (a) => 'x' + a; ${up('for (const a of LIST) await knex.raw(say(a))')}`,
  ],
  [
    'counts within a call',
    up("let n = 0; (await knex('t')).forEach(() => { n += 1; }); await knex.raw(String(n))"),
  ],
  ['names Date in a text', up("await knex.raw('select new Date(), process.env') /* Date.now() */")],
  ['has a variable that is called Date', up("const Date = 1; await knex.raw('select ?', Date)")],
  ['lets Knex hand it this', up("await knex.schema.createTable('t', function () { this.string('a') })")],
  ['uses Math without randomness', up('await knex.raw(String(Math.max(1, 2)))')],
];

const VARYING: readonly (readonly [string, string, string])[] = [
  ['asks the clock', up('await knex.raw(String(Date.now()))'), 'uses Date.now in line 1'],
  ['asks the clock by another name', `const D = Date; ${up('new D()')}`, 'uses Date'],
  ['asks the clock by destructuring', up('const { now } = Date; now()'), 'uses Date'],
  ['asks the global object', up("globalThis['Da' + 'te'].now()"), 'uses globalThis'],
  ['asks the global object by this', up('(function () { return this.Date.now() })()'), 'uses this'],
  ['throws dice', up('Math.random()'), 'uses Math.random'],
  ['throws dice by destructuring', `const { random } = Math; ${up('random()')}`, 'uses Math'],
  ['compiles a text', up("(() => 0).constructor('return Date.now()')()"), 'uses .constructor'],
  ['evaluates a text', up("(0, eval)('Date.now()')"), 'uses eval'],
  ['waits', up('await new Promise((done) => setTimeout(done, 1))'), 'uses setTimeout'],
  ['imports a package', `const moment = require('moment'); ${up('moment()')}`, 'imports moment'],
  ['imports what it works out', up("require('./' + process.argv[2])"), 'uses require'],
  ['counts calls', `let n = 0; ${up('n += 1')}`, 'changes n'],
  ['counts calls in an object', `const state = { n: 0 }; ${up('state.n++')}`, 'changes state'],
  ['counts calls by an alias', `const state = { n: 0 }; ${up('const s = state; s.n++')}`, 'hands on state'],
  [
    'counts calls in its rows',
    `const rows = [{ n: 0 }]; ${up('rows.forEach((row) => { row.n++ })')}`,
    'changes row',
  ],
  [
    'counts calls in a closure',
    `const make = () => { let n = 0; return () => n++ }; const next = make(); ${up('next()')}`,
    'changes n',
  ],
  [
    'keeps an iterator',
    `const names = ['a'].values(); ${up('for (const n of names) await knex.raw(n)')}`,
    'iterator',
  ],
  [
    'uses Knex itself',
    `const knex = require('knex'); module.exports.up = async () => { knex({}) }`,
    'uses knex',
  ],
];

describe('examineCode', () => {
  it.each(PURE)('finds pure what %s', async (_, text) => {
    const verdict = await examine({ '1_a.js': text });
    expect([verdict.reason, verdict.kind]).toEqual([undefined, 'pure']);
  });

  it.each(VARYING)('refuses what %s', async (_, text, reason) => {
    const verdict = await examine({ '1_a.js': text });
    expect(verdict.kind).toBe('varying');
    expect(verdict.reason).toContain(reason);
  });

  it('finds fixed what reads the environment', async () => {
    const verdict = await examine({ '1_a.js': up('await knex.raw(process.env.NAME)') });
    expect(verdict).toMatchObject({ kind: 'fixed', reason: '1_a.js uses process.env.NAME in line 1' });
  });

  it('follows imports, and notices every file that is edited, added or removed', async () => {
    const verdict = await examine({
      '1_a.js': `const { name } = require('../lib/names'); const sql = require('fs').readFileSync(require('path').join(__dirname, 'a.txt'), 'utf8'); ${up('await knex.raw(sql + name)')}`,
      '../lib/names.js': 'exports.name = 1',
      'a.txt': 'select 1',
    });
    expect(verdict).toMatchObject({ kind: 'pure' });
    expect(verdict.files.map(({ path }) => path)).toEqual([
      '1_a.js',
      'a.txt',
      '../lib/names.*',
      '../lib/names.js',
    ]);
    const isUnchanged = () => verdict.digests.areUnchanged(verdict.files, verdict.folder);
    expect(isUnchanged()).toBe(true);
    for (const path of ['a.txt', '../lib/names.js', '../lib/names.ts']) {
      const before = path.endsWith('ts') ? undefined : 'exports.name = 1';
      writeFileSync(join(verdict.folder, path), 'exports.name = 2');
      expect({ path, isUnchanged: isUnchanged() }).toEqual({ path, isUnchanged: false });
      if (before === undefined) rmSync(join(verdict.folder, path));
      else writeFileSync(join(verdict.folder, path), path === 'a.txt' ? 'select 1' : before);
      expect({ path, isUnchanged: isUnchanged() }).toEqual({ path, isUnchanged: true });
    }
  });
});
