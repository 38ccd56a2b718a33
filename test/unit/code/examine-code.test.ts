import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
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
async function examine(
  files: Readonly<Record<string, string>>,
  { name = '1_a.js', loadedSince = Date.now() + 60_000, link = false } = {},
) {
  const folder = join(root, String((count += 1)), 'migrations');
  mkdirSync(folder, { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  if (link) symlinkSync('real', join(folder, '../lib'));
  const digests = new CodeDigests({ loadedSince });
  const format = name.endsWith('.sql') ? 'sql' : 'module';
  const verdict = await examineCode({ name, stem: name, path: join(folder, name), format }, digests);
  return { ...verdict, folder, digests };
}

const CHANGES_OBJECT = 'changes an object that it has not made';
const up = (body: string) => `exports.up = async (knex) => { ${body} };`;
const esm = (body: string) => `export async function up(knex) { ${body} }`;

const PURE: readonly (readonly [string, string])[] = [
  [
    'sends statements',
    up("await knex.schema.createTable('t', (t) => { t.increments(); t.setNullable('a'); })"),
  ],
  [
    'uses answers',
    up("const rows = await knex('t').select(); for (const { id } of rows) await knex('u').insert({ id })"),
  ],
  [
    'has constants',
    `const A = ['a']; const say = (a) => 'x' + a; ${up('for (const a of A) await knex.raw(say(a))')}`,
  ],
  [
    'counts within a call',
    up('let n = 0; for (const a of await knex("t")) n += 1; await knex.raw(String(n))'),
  ],
  [
    'fills its own objects',
    up('const o = {}; o.a = 1; const l = []; l.push(o); const m = new Map(); m.set(1, l)'),
  ],
  ['binds a method of Knex', up('const raw = knex.raw.bind(knex); await raw("SELECT 1")')],
  ['sorts what it has made', up('[...Object.keys({ b: 1, a: 2 })].sort(); [1].map(String)')],
  ['counts within a call in callbacks', up('let n = 0; (await knex("t")).forEach(() => { n += 1; })')],
  [
    'collects in callbacks',
    up(`const ids = new Set(); const rows = []; await knex('t').then((all) => all.forEach(({ id }) => { ids.add(id); rows.push(id) }));
      return Promise.all([...ids].map(async (id) => { rows.push(await knex('u').where({ id })) }))`),
  ],
  [
    'collects in callbacks of Knex',
    up(`let n = 0; const names = []; await knex.transaction(async (trx) => { n += 1; await trx('t').then(() => {}, () => { n += 2 }) });
      await knex.schema.createTable('t', (t) => { names.push(t.increments()) })`),
  ],
  [
    'collects in an object that reduce hands on',
    up(
      'const byId = (await knex("t")).reduce((all, row) => { all[row.id] = row; return all }, {}); Object.keys(byId).sort()',
    ),
  ],
  [
    'merges objects that it has made',
    `const A = Object.freeze(Object.assign(...Object.values({ a: 1 }).map((a) => ({ [a]: a })))); ${up('A')}`,
  ],
  [
    'reads iterators at once',
    up(`const m = new Map(); for (const [k] of m.entries()) await knex.raw(k);
      return [...m.values(), ...Array.from(m.keys()), ...new Set(m.keys()), ...'a'.matchAll(/a/g)]`),
  ],
  [
    'has patterns',
    `const RE = /a/g; ${up('const re = /b/g; while (re.exec("b")); await knex.raw("a".replace(RE, "").match(/c/g))')}`,
  ],
  ['prints where an error came from', up('try { 1 } catch (e) { console.error(e.stack, `at ${e.stack}`) }')],
  ['asks for its own members', up('Object.prototype.hasOwnProperty.call({ a: 1 }, "a")')],
  ['reads a date', up('Number.isNaN(Date.parse("2020-01-01"))')],
  ['names Date in a text', up('await knex.raw("select new Date(), process.env") /* Date.now() */')],
  ['has a variable that is called Date', up('const Date = 1; await knex.raw("select ?", Date)')],
  [
    'has a column that is called stack',
    up('await knex("t").insert({ stack: 1, constructor: 2, prototype: 3 })'),
  ],
  ['lets Knex hand it this', up('await knex.schema.createTable("t", function () { this.string("a") })')],
  [
    'hands on this, which Knex has handed it',
    up(
      'const on = (join) => join.on("a", "b"); await knex("t").join("u", function () { this.on("c", "d"); on(this) })',
    ),
  ],
  ['deletes rows', up('await knex("t").where({ a: 1 }).delete()')],
  ['calculates', up('await knex.raw(String(Math.max(1, 2)))')],
  ['has a date', up('await knex("t").insert({ at: new Date("2020-01-01T00:00:00Z") })')],
  [
    'takes a digest',
    `const { createHash } = require('crypto'); ${up('createHash("sha256").update("a").digest("hex")')}`,
  ],
  ['asks for no transaction', `exports.config = { transaction: false }; ${up('await knex.raw("select 1")')}`],
  [
    'is an ES module',
    `import path from 'node:path'; export const config = {}; ${esm('await knex.raw(path.join("a", "b"))')}`,
  ],
  ['waits at its top level', `const a = await Promise.resolve('a'); ${esm('await knex.raw(a)')}`],
  ['prints', up('console.log("done")')],
  [
    'catches errors',
    up('try { await knex.raw("x") } catch (error) { if (!(error instanceof TypeError)) throw error }'),
  ],
  [
    'a compiler wrote',
    `"use strict"; Object.defineProperty(exports, "__esModule", { value: true }); exports.up = up;
     async function up(knex) { return knex.raw("select 1") }`,
  ],
];

const VARYING: readonly (readonly [string, string, string])[] = [
  ['asks the clock', up('await knex.raw(String(Date.now()))'), 'uses Date.now in line 1'],
  ['asks the clock for a date', up('new Date()'), 'uses Date'],
  ['asks the clock for a date by spreading nothing', up('new Date(...[])'), 'uses Date'],
  ['asks the clock for a text', up('Date(0)'), 'uses Date'],
  ['loads its environment each time', up("require('dotenv').config()"), 'uses dotenv.config'],
  [
    'asks the clock in a function that it calls once',
    `const clock = (() => ({ now: () => Date.now() }))(); ${up('clock.now()')}`,
    'uses Date.now',
  ],
  [
    'asks the clock in a method that it hands on once',
    `const now = Date.now.bind(Date); ${up('now()')}`,
    'uses Date.now',
  ],
  [
    'counts calls in the date when it began',
    `const d = new Date(); ${up('d.setDate(d.getDate() + 1)')}`,
    CHANGES_OBJECT,
  ],
  ['asks the clock by another name', `const D = Date; ${up('new D()')}`, 'uses Date'],
  ['asks the clock by destructuring', up('const { now } = Date; now()'), 'uses Date'],
  [
    'asks the clock in a default',
    'exports.up = (knex, now = Date.now()) => knex.raw(String(now))',
    'uses Date.now',
  ],
  [
    'asks the clock in a tag',
    up('const s = ((_, a) => a)`${Date.now()}`; await knex.raw(s)'),
    'uses Date.now',
  ],
  ['asks the clock perhaps', up('Date?.now?.()'), 'uses Date.now'],
  ['asks the clock by an escape', up('D\\u0061te.now()'), 'uses Date.now'],
  ['asks another clock', up('performance.now()'), 'uses performance.now'],
  ['asks the global object', up("globalThis['Da' + 'te'].now()"), 'uses globalThis'],
  ['asks the global object by this', up('(function () { return this.Date.now() })()'), 'uses this'],
  [
    'asks the global object by this, which it hands on',
    up('(function () { ((g) => g.Date)(this) })()'),
    'uses this',
  ],
  [
    'asks the global object for what it does not know',
    up('(function () { return this.WIKI })()'),
    'uses this',
  ],
  [
    'asks the global object by this, which it hands on while it calls it',
    up('(function () { this.on(((g) => g.Date)(this)) })()'),
    'uses this',
  ],
  [
    'asks the global object by this, which it hands on before it calls it',
    up('(function (a = ((g) => g.Date)(this)) { this.on(a) })()'),
    'uses this',
  ],
  [
    'asks the global object by this, which it calls perhaps',
    up('(function () { this.on?.(); if (knex) this.on(); ((g) => g.Date)(this) })()'),
    'uses this',
  ],
  [
    'asks the global object by this, which it calls by a name that it has',
    up('(function () { this.toString(); ((g) => g.Date)(this) })()'),
    'uses this',
  ],
  [
    'asks the global object by this of another function',
    up('(function () { this.on(); (function () { ((g) => g.Date)(this) })() })()'),
    'uses this',
  ],
  ['formats the date of today', up('new Intl.DateTimeFormat("en-CA").format()'), 'uses Intl.DateTimeFormat'],
  ['formats by the locale', up('new Intl.NumberFormat().format(1)'), 'uses Intl.NumberFormat'],
  ['throws dice', up('Math.random()'), 'uses Math.random'],
  ['throws dice by destructuring', `const { random } = Math; ${up('random()')}`, 'uses Math'],
  ['throws dice by a computed name', up('Math["ran" + "dom"]()'), 'uses Math'],
  ['throws dice by handing Math on', up('((m) => m.random())(Math)'), 'uses Math'],
  ['compiles a text', up('(() => 0).constructor("return Date.now()")()'), 'uses .constructor'],
  [
    'compiles a text by a pattern',
    up('const { constructor: f } = () => 0; f("return 1")()'),
    'uses .constructor',
  ],
  ['compiles a text by a quoted name', up('(() => 0)["constructor"]("return 1")()'), 'uses .constructor'],
  ['evaluates a text', up('(0, eval)("Date.now()")'), 'uses eval'],
  ['evaluates a text as a function', up('new Function("return 1")()'), 'uses Function'],
  ['looks names up in an object', up('with (knex) { raw("select 1") }'), 'uses with'],
  ['waits', up('await new Promise((done) => setTimeout(done, 1))'), 'uses setTimeout'],
  ['takes the first', up('await Promise.race([knex.raw("a"), knex.raw("b")])'), 'uses Promise.race'],
  ['asks the network', up('await fetch("http://localhost")'), 'uses fetch'],
  [
    'makes an id',
    `const { randomUUID } = require('node:crypto'); ${up('randomUUID()')}`,
    'uses crypto.randomUUID',
  ],
  [
    'makes an id by a variable that is set again',
    `let c = require('crypto'); c = c ?? {}; ${up('c.randomUUID()')}`,
    'uses crypto',
  ],
  [
    'makes an id by a variable that is set twice',
    `var { randomUUID: f } = require('crypto'); var f = f; ${up('f()')}`,
    'uses crypto',
  ],
  ['makes an id with the global crypto', up('crypto.randomUUID()'), 'uses crypto.randomUUID'],
  ['uses memory that was not cleared', up('Buffer.allocUnsafe(8)'), 'uses Buffer.allocUnsafe'],
  ['lists its environment', up('Object.keys(process.env)'), 'uses process.env'],
  ['is at a directory', up('await knex.raw(process.cwd())'), 'uses process.cwd'],
  ['asks the bundler', esm('await knex.raw(import.meta.env.MODE)'), 'uses import.meta.env.MODE'],
  ['imports a package', `const moment = require('moment'); ${up('moment()')}`, 'imports moment'],
  ['imports a package with import', `import { v4 } from 'uuid'; ${esm('v4()')}`, 'imports uuid'],
  ['imports by an alias of its package', `import x from '#lib/x'; ${esm('x')}`, 'imports #lib/x'],
  ['imports what is not there', `require('./lost'); ${up('1')}`, 'imports ./lost, which cannot be resolved'],
  ['imports what it works out', up('require("./" + knex.name)'), 'uses require'],
  ['imports in its own time', up('await import("./1_a.js")'), 'uses import()'],
  ['imports a folder', `require('..'); ${up('1')}`, 'imports .., which cannot be resolved'],
  ['imports by a require of its own', `const require = (a) => a; ${up('require("fs")')}`, 'uses require'],
  ['imports by the arguments of its module', up('arguments[1]("os")'), 'uses arguments'],
  [
    'imports by another require',
    `const { createRequire } = require('module'); ${up('createRequire')}`,
    'uses module.createRequire',
  ],
  ['hands a module of Node on', `exports.fs = require('fs'); ${up('1')}`, 'uses fs'],
  ['exports a module of Node', `export { readFileSync } from 'fs'; ${esm('1')}`, 'imports fs'],
  ['uses Knex itself', `const knex = require('knex'); exports.up = () => knex({})`, 'uses knex'],
  [
    'reads a file that it works out',
    `const fs = require('fs'); ${up('fs.readFileSync(knex.path)')}`,
    'reads a file',
  ],
  [
    'reads a file where the process is',
    `const fs = require('fs'); ${up('fs.readFileSync("a.sql")')}`,
    'reads a file',
  ],
  [
    'reads a file by path.resolve',
    `const fs = require('fs'), path = require('path'); ${up('fs.readFileSync(path.resolve("a"))')}`,
    'reads a file',
  ],
  [
    'reads a file in its own time',
    `const fs = require('fs/promises'); ${up('await fs.readFile(__dirname + "/a")')}`,
    'uses fs.promises',
  ],
  [
    'hands the reading of files on',
    `const { readFileSync } = require('fs'); ${up('["a"].map(readFileSync)')}`,
    'uses fs.readFileSync',
  ],
  ['counts calls', `let n = 0; ${up('n += 1')}`, 'changes n'],
  ['counts calls in a global', up('count = 1'), 'changes count'],
  ['counts calls by destructuring', `let n = 0; ${up('[n] = [n + 1]')}`, 'changes n'],
  ['counts calls in an object', `const state = { n: 0 }; ${up('state.n++')}`, CHANGES_OBJECT],
  ['counts calls by an alias', `const state = { n: 0 }; ${up('const s = state; s.n++')}`, CHANGES_OBJECT],
  [
    'counts calls in a copy that is not deep',
    `const a = { b: { n: 0 } }; ${up('const c = { ...a }; c.b.n++')}`,
    CHANGES_OBJECT,
  ],
  ['counts calls in a list', `const calls = []; ${up('calls.push(1)')}`, CHANGES_OBJECT],
  ['counts calls in a list by apply', `const calls = []; ${up('[].push.apply(calls, [1])')}`, CHANGES_OBJECT],
  ['counts calls in a set', `const seen = new Set(); ${up('[1].forEach(seen.add, seen)')}`, CHANGES_OBJECT],
  [
    'counts calls in a list by a method in a variable',
    `const calls = []; const { push } = calls; ${up('push.call(calls, 1)')}`,
    CHANGES_OBJECT,
  ],
  [
    'counts calls in a list by a method under another name',
    `const calls = []; const o = { f: [].push }; ${up('o.f.call(calls, 1)')}`,
    CHANGES_OBJECT,
  ],
  [
    'counts calls in a set that is handed on as this',
    `const calls = new Set(); const { add } = calls; ${up('(await knex("t")).forEach(add, calls)')}`,
    CHANGES_OBJECT,
  ],
  [
    'counts calls in a list by a bound method in a variable',
    `const calls = []; const { push } = calls; const count = push.bind(calls); ${up('count(1)')}`,
    CHANGES_OBJECT,
  ],
  ['counts calls in a list in a list', `const calls = []; ${up('[calls][0].push(1)')}`, CHANGES_OBJECT],
  ['counts calls in a map', `const seen = new WeakMap(); ${up('seen.set(knex, 1)')}`, CHANGES_OBJECT],
  ['counts calls by a computed method', `const calls = []; ${up('calls["pu" + "sh"](1)')}`, CHANGES_OBJECT],
  [
    'counts calls in its rows',
    `const rows = [{ n: 0 }]; ${up('rows.forEach((row) => { row.n++ })')}`,
    CHANGES_OBJECT,
  ],
  [
    'counts calls in a loop over rows',
    `const rows = [{ n: 0 }]; ${up('for (const row of rows) row.n++')}`,
    CHANGES_OBJECT,
  ],
  ['counts calls in its exports', up('exports.n = (exports.n || 0) + 1'), CHANGES_OBJECT],
  [
    'counts calls in a function of its own that is named like one of lists',
    `const own = { map: (f) => f }; const next = [0].map((n) => own.map(() => n++))[0]; ${up('next()')}`,
    'uses init map',
  ],
  [
    'counts calls in a function of its own that it names later',
    `const own = {}; own.map = (f) => f; const next = [0].map((n) => own.map(() => n++))[0]; ${up('next()')}`,
    'uses a method map of its own',
  ],
  [
    'changes a list that another module keeps, by a function named like one of lists and another name for the module',
    `const own = require('./1_a.js'); const kept = []; exports.filter = () => kept; const other = own; ${up('other.filter().push(1)')}`,
    CHANGES_OBJECT,
  ],
  [
    'counts calls in a function of another module that is named like one of lists',
    `const own = require('./1_a.js'); exports.map = (f) => f; const next = [0].map((n) => own.map(() => n++))[0]; ${up('next()')}`,
    'changes n',
  ],
  [
    'counts calls in a function with which reduce begins',
    `const make = () => { const l = []; return [].reduce((f) => f, () => l.push(1)) }; const next = make(); ${up('next()')}`,
    CHANGES_OBJECT,
  ],
  [
    'counts calls in a closure that a callback returns',
    `const [next] = [0].map((n) => [0].map(() => () => n++)[0]); ${up('next()')}`,
    'changes n',
  ],
  [
    'counts calls in a closure that a callback makes later',
    `const make = () => { const l = []; return { add: () => [1].forEach(() => l.push(1)) } }; const o = make(); ${up('o.add()')}`,
    CHANGES_OBJECT,
  ],
  [
    'counts calls in what reduce was handed',
    `const o = { n: 0 }; ${up('[1].reduce((sum) => { sum.n++; return sum }, o)')}`,
    CHANGES_OBJECT,
  ],
  [
    'counts calls in what reduce goes on with',
    `const o = { n: 0 }; ${up('[1, 2].reduce((sum) => { sum.n++; return o }, { n: 0 })')}`,
    CHANGES_OBJECT,
  ],
  [
    'counts calls in what reduce takes from its list',
    `const o = { n: 0 }; ${up('[o, 1].reduce((sum) => { sum.n++; return sum })')}`,
    CHANGES_OBJECT,
  ],
  [
    'counts calls in the members of a new list',
    `const o = { a: { n: 0 } }; ${up('for (const a of Object.values(o)) a.n++')}`,
    CHANGES_OBJECT,
  ],
  [
    'counts calls in a member of a new list',
    `const o = { a: { n: 0 } }; ${up('const [a] = Object.values(o); a.n++')}`,
    CHANGES_OBJECT,
  ],
  [
    'counts calls with Object.assign in a list that it spreads',
    `const o = { n: 0 }; ${up('Object.assign(...[1].map(() => o), { n: o.n + 1 })')}`,
    CHANGES_OBJECT,
  ],
  [
    'counts calls in bytes that it shares',
    `const b = require('fs').readFileSync(__dirname + '/1_a.js'); ${up('b.slice(1).reverse()')}`,
    CHANGES_OBJECT,
  ],
  [
    'keeps its position by a constant',
    `const re = /a/y; ${up('"aa".replace(re, "")')}`,
    'keeps an iterator or position',
  ],
  [
    'keeps its position by a constant that it exports',
    `export const re = /a/g; ${esm('await knex.raw("a".replace(re, ""))')}`,
    'keeps an iterator or position',
  ],
  [
    'keeps its position in a closure',
    `const make = () => { const re = /a/g; return () => re.test('aa') }; const next = make(); ${up('next()')}`,
    'keeps an iterator or position',
  ],
  [
    'keeps its position in a function that hands it on',
    `const make = () => { const re = /a/g; return re }; const re = make(); ${up('re.test("aa")')}`,
    'keeps an iterator or position',
  ],
  ['throws dice with lodash', `const _ = require('lodash'); ${up('_.sample([1, 2])')}`, 'uses lodash.sample'],
  [
    'counts with lodash',
    `const { uniqueId } = require('lodash'); ${up('uniqueId()')}`,
    'uses lodash.uniqueId',
  ],
  ['wraps with lodash', `const _ = require('lodash'); ${up('_([1]).push(2).value()')}`, 'uses lodash'],
  [
    'changes objects with lodash',
    `const set = require('lodash/set'); const o = {}; ${up('set(o, "a", 1)')}`,
    'uses lodash/set',
  ],
  ['hands lodash on', `const _ = require('lodash'); ${up('((l) => l.random())(_)')}`, 'uses lodash'],
  ['shows where it is by the stack of an error', up('await knex.raw(new Error("a").stack)'), 'uses .stack'],
  [
    'shows where it is by a tag, beside the console',
    up('console.log(((_, a) => knex.raw(a))`${new Error("a").stack}`)'),
    'uses .stack',
  ],
  ['asks the prototype of all objects', up('Object.prototype.hasOwnProperty.count'), 'uses Object.prototype'],
  ['counts calls in a function', 'exports.up = up; function up() { up.n = (up.n || 0) + 1 }', CHANGES_OBJECT],
  ['counts calls in Knex', up('knex.n = (knex.n || 0) + 1'), CHANGES_OBJECT],
  ['counts calls in this', `const o = { n: 0, next() { return this.n++ } }; ${up('o.next()')}`, 'uses this'],
  ['counts calls with Object.assign', `const o = {}; ${up('Object.assign(o, { a: 1 })')}`, CHANGES_OBJECT],
  [
    'counts calls with Object.assign by another function',
    `const o = {}; ${up('[{ a: 1 }].reduce(Object.assign, o)')}`,
    'uses Object.assign',
  ],
  [
    'counts calls with Object.assign by call',
    `const o = {}; ${up('Object.assign.call(null, o, { a: 1 })')}`,
    'uses Object.assign.call',
  ],
  [
    'counts calls in bytes that it has read',
    `const b = require('fs').readFileSync(__dirname + '/1_a.js'); ${up('b.writeUInt8(b[0] + 1)')}`,
    CHANGES_OBJECT,
  ],
  [
    'counts calls in what a constructor shares',
    `const o = { n: 0 }; function F() { return o } ${up('const f = new F(); f.n++')}`,
    CHANGES_OBJECT,
  ],
  ['counts calls in a date', `const d = new Date(0); ${up('d.setDate(d.getDate() + 1)')}`, CHANGES_OBJECT],
  [
    'counts calls in a map by a bound method',
    `const m = new Map(); const set = m.set.bind(m); ${up('set(1, 1)')}`,
    CHANGES_OBJECT,
  ],
  [
    'freezes an object at the first call',
    `const o = {}; ${up('Object.isFrozen(o); Object.freeze(o)')}`,
    'uses Object.isFrozen',
  ],
  ['asks the console when it began', up('console.time(); console._times'), 'uses console._times'],
  ['counts calls in what a module shares', up('require("./1_a.js").n++'), CHANGES_OBJECT],
  [
    'counts calls in a closure',
    `const make = () => { let n = 0; return () => n++ }; const next = make(); ${up('next()')}`,
    'changes n',
  ],
  [
    'counts calls in a closure made on the spot',
    `const next = (() => { let n = 0; return () => n++ })(); ${up('next()')}`,
    'changes n',
  ],
  [
    'counts calls in a closure in a list',
    `const [next] = [0].map((n) => () => n++); ${up('next()')}`,
    'changes n',
  ],
  [
    'counts calls in a list of a closure',
    `const make = () => { const l = []; return () => l.push(1) }; const next = make(); ${up('next()')}`,
    'changes an object',
  ],
  ['counts calls in a class', `class A { static n = 0 } ${up('A.n++')}`, 'uses a class'],
  [
    'counts calls in a getter',
    `const o = { get n() { let n = 0; return () => n++ } }; const { n } = o; ${up('n()')}`,
    'uses get n',
  ],
  [
    'counts calls in a conversion',
    `const o = { toString: () => 'a' }; ${up('await knex.raw(`${o}`)')}`,
    'uses init toString',
  ],
  ['asks Knex for its random names', up('knex.raw("a").toSQL().__knexQueryUid'), 'uses .__knexQueryUid'],
  [
    'keeps an iterator',
    `const names = ['a'].values(); ${up('for (const n of names) await knex.raw(n)')}`,
    'keeps an iterator',
  ],
  [
    'keeps a generator',
    `function* f() { yield 1 } const g = f(); ${up('for (const n of g) await knex.raw(n)')}`,
    'has a generator',
  ],
  [
    'keeps its position in a text',
    `const re = /a/g; ${up('re.test("aa")')}`,
    'keeps an iterator or position',
  ],
  [
    'keeps its position in a text by RegExp',
    `const re = new RegExp('a', 'y'); ${up('re.test("aa")')}`,
    'keeps an iterator or position',
  ],
  [
    'keeps its position in a text by RegExp without new',
    `const re = RegExp('a', 'g'); ${up('re.test("aa")')}`,
    'keeps an iterator or position',
  ],
  [
    'converts by a quoted name',
    `const o = { 'toString': () => 'a' }; ${up('await knex.raw(`${o}`)')}`,
    'uses init toString',
  ],
  [
    'keeps its position in a text by RegExp, whose arguments it spreads',
    `const re = RegExp(...['a', 'y']); ${up('re.test("aa")')}`,
    'keeps an iterator or position',
  ],
  ['changes a global object', `console.log = () => 1; ${up('1')}`, CHANGES_OBJECT],
  ['changes what arrays have', `Array.prototype.first = () => 1; ${up('1')}`, 'uses Array.prototype.first'],
  ['changes another module', `const o = require('./1_a.js'); o.n = 1; ${up('1')}`, CHANGES_OBJECT],
  ['cannot be parsed', 'exports.up = (', 'cannot be examined'],
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

  it.each([
    ['reads a variable of the environment', up('await knex.raw(process.env.NAME)'), 'process.env.NAME'],
    ['shows where it is', up('await knex.raw(__dirname)'), '__dirname'],
    ['depends on the locale', up('["b", "a"].map((a) => a.toLocaleUpperCase())'), '.toLocaleUpperCase'],
    ['takes the time once', `const now = Date.now(); ${up('await knex.raw(String(now))')}`, 'Date.now'],
    ['takes the date once', `const now = new Date(); ${up('await knex.raw(String(now))')}`, 'Date'],
    ['loads its environment once', `require('dotenv').config(); ${up('1')}`, 'dotenv.config'],
    [
      'works out a path once',
      `import { resolve } from 'path'; const a = resolve('a'); ${esm('await knex.raw(a)')}`,
      'path.resolve',
    ],
    ['looks with lodash', `const _ = require('lodash'); ${up('_.uniq([1, 1])')}`, 'lodash.uniq'],
    ['looks with a part of lodash', `import has from 'lodash/has'; ${esm('has({}, "a")')}`, 'lodash/has'],
    ['exports where it is', `export const file = __dirname + '/a'; ${esm('1')}`, '__dirname'],
    [
      'shows where a file is that it reads',
      `const file = __dirname + '/1_a.js'; require('fs').readFileSync(file); ${up('await knex.raw(file)')}`,
      '__dirname',
    ],
  ])('finds fixed what %s', async (_, text, name) => {
    const verdict = await examine({ '1_a.js': text });
    expect(verdict).toMatchObject({ kind: 'fixed', reason: `1_a.js uses ${name} in line 1` });
  });

  it('finds changed what was changed while the process was running: Node may have loaded the older text', async () => {
    const verdict = await examine({ '1_a.js': up('1') }, { loadedSince: 0 });
    expect(verdict).toMatchObject({
      kind: 'changed',
      reason: '1_a.js was changed after this process had started',
    });
  });

  it('follows imports of every kind, and names the file that is not pure', async () => {
    const kinds = [
      "const { now } = require('../lib/clock')",
      "import { now } from '../lib/clock.js'",
      "import * as clock from '../lib/clock.js'",
      "export { now } from '../lib/clock.js'",
      "export * from '../lib/clock.js'",
      "import '../lib/clock.js'",
      "import clock from '../lib/index'",
      "exports.x = () => require('../lib/clock')",
    ];
    for (const text of kinds) {
      const verdict = await examine({
        '1_a.js': text,
        '../lib/index.js': "module.exports = require('./clock')",
        '../lib/clock.js': "require('./index');\nexports.now = Date.now",
      });
      expect({ text, ...verdict }).toMatchObject({
        kind: 'varying',
        reason: '../lib/clock.js uses Date.now in line 2',
      });
    }
  });

  it('notices every file that is edited, added or removed', async () => {
    const files = {
      '1_a.js': `const names = require('../lib/names'); const data = require('./data.json');
        const fs = require('fs'); const path = require('path'); const folder = path.join(__dirname, 'sql');
        const sql = fs.readFileSync(path.join(folder, \`a\${'.'}sql\`), 'utf8');
        const more = fs.existsSync(path.resolve(__dirname, 'more.sql')); ${up('await knex.raw(sql + names + more + data)')}`,
      '../lib/names.js': 'exports.name = 1',
      'data.json': '{}',
      'sql/a.sql': 'select 1',
      '../package.json': '{ "version": "1" }',
    };
    const verdict = await examine(files);
    expect([verdict.reason, verdict.kind]).toEqual([undefined, 'pure']);
    const isUnchanged = () => verdict.digests.areUnchanged(verdict.files, verdict.folder);
    const changes = {
      '1_a.js': '',
      '../lib/names.js': '',
      'data.json': '[]',
      'sql/a.sql': '',
      'more.sql': '',
      '../lib/names.ts': '',
      '../lib/names': '',
      '../package.json': '{ "type": "module" }',
      'package.json': '{ "type": "commonjs" }',
    };
    for (const [path, text] of Object.entries(changes)) {
      const before = Object.entries(files).find(([name]) => name === path)?.[1];
      expect({ path, isUnchanged: isUnchanged() }).toEqual({ path, isUnchanged: true });
      writeFileSync(join(verdict.folder, path), text);
      expect({ path, isUnchanged: isUnchanged() }).toEqual({ path, isUnchanged: false });
      if (before === undefined) rmSync(join(verdict.folder, path));
      else writeFileSync(join(verdict.folder, path), before);
    }
    writeFileSync(join(verdict.folder, '../package.json'), '{ "version": "2" }');
    expect(isUnchanged()).toBe(true);
  });

  it('examines each file to which an import may lead, since loaders disagree', async () => {
    const verdict = await examine({
      '1_a.js': `require('./names'); ${up('1')}`,
      'names.js': '',
      'names.ts': 'export const now = () => Date.now();',
    });
    expect(verdict).toMatchObject({ kind: 'varying', reason: 'names.ts uses Date.now in line 1' });
  });

  it('follows the import of a folder, unless its package.json decides', async () => {
    const files = {
      '1_a.js': `require('./lib'); ${up('1')}`,
      'lib/index.js': "require('./b')",
      'lib/b.js': '',
    };
    const verdict = await examine(files);
    expect([verdict.reason, verdict.kind]).toEqual([undefined, 'pure']);
    expect(verdict.files.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['lib/index.js', 'lib/b.js', 'lib.*', 'lib/index.*', 'lib/package.json#type']),
    );
    for (const path of ['lib/package.json', 'lib/index.ts', 'lib.js', 'lib.ts']) {
      writeFileSync(join(verdict.folder, path), '{}');
      const isUnchanged = verdict.digests.areUnchanged(verdict.files, verdict.folder);
      expect({ path, isUnchanged }).toEqual({ path, isUnchanged: false });
      rmSync(join(verdict.folder, path));
    }
    for (const beside of ['lib/package.json', 'lib.js'])
      expect(await examine({ ...files, [beside]: '{}' })).toMatchObject({
        kind: 'varying',
        reason: '1_a.js imports ./lib, which cannot be resolved',
      });
    const varying = await examine({ ...files, 'lib/b.js': 'exports.now = Date.now' });
    expect(varying).toMatchObject({ kind: 'varying', reason: 'lib/b.js uses Date.now in line 1' });
  });

  it('refuses an import through a link', async () => {
    const linked = await examine(
      { '1_a.js': `require('../lib/names'); ${up('1')}`, '../real/names.js': '' },
      { link: true },
    );
    expect(linked).toMatchObject({
      kind: 'varying',
      reason: '../lib/names.js is reached through a symbolic link',
    });
  });

  it('leaves types out of TypeScript, and refuses what emits code', async () => {
    const typed = `import type { Knex } from 'knex'; import { Knex as K } from 'knex'; interface A { Date: string }
      export async function up(knex: Knex, now?: A): Promise<void> { await knex!.raw((now as A).Date satisfies string) }`;
    const pure = await examine({ '1_a.ts': typed }, { name: '1_a.ts' });
    expect([pure.reason, pure.kind]).toEqual([undefined, 'pure']);
    for (const text of [
      'enum A { B = Date.now() }',
      'declare enum A { B }',
      'namespace A { export const b = 1 }',
      'declare const process: any; process.pid',
    ])
      expect(await examine({ '1_a.ts': `${text}; ${typed}` }, { name: '1_a.ts' })).toMatchObject({
        kind: 'varying',
      });
  });

  it('takes an enum for a constant object', async () => {
    const text = (body: string) => `export enum Status { Active = 'ACTIVE', Idle, Other = Status.Active }
      const enum Kind { A = 1 << 2 } ${esm(`await knex.raw(Status.Active + Kind.A); ${body}`)}`;
    const name = '1_a.ts';
    const verdict = await examine({ [name]: text('') }, { name });
    expect([verdict.reason, verdict.kind]).toEqual([undefined, 'pure']);
    const changed = await examine({ [name]: text('Status.Idle = 1') }, { name });
    expect(changed.reason).toContain(CHANGES_OBJECT);
  });

  it('takes a .sql file as it is', async () => {
    const verdict = await examine({ '1_a.sql': '-- migrate:up' }, { name: '1_a.sql' });
    expect(verdict).toMatchObject({ kind: 'pure', files: [{ path: '1_a.sql' }] });
  });
});
