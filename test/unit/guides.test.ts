import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const rooms = readdirSync(join(ROOT, 'src/core'));
const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => `src/${path}`);
const words = new Set(sources.flatMap((path) => read(path).match(/\w+/g) ?? []));

/** What the pages for newcomers put between backticks. */
const GUIDES = [
  'docs/architecture.md',
  'CONTRIBUTING.md',
  ...rooms.map((room) => `src/core/${room}/README.md`),
];

/** Blocks of code that begin with a comment, which says where they belong. */
const examples = [...read('CONTRIBUTING.md').matchAll(/```ts\n\/\/ (?:[^\n]* )?(\S+)\n(.*?)```/gs)].map(
  ([, path = '', code = '']) => ({ path, code }),
);
const madeUp = examples.map(({ path }) => path);
const madeUpWords = new Set(examples.flatMap(({ code }) => code.match(/\w+/g) ?? []));

const orderOf = (list: string) => {
  const [, order = ''] = new RegExp(`const ${list} = \\[(.*?)\\]`, 's').exec(read('oxlint.config.ts')) ?? [];
  return [...order.matchAll(/'([\w-]+)'/g)].map(([, name = '']) => name).toSorted();
};

test('each room of core has its place in the order that lint holds, and no file is loose', () => {
  expect(orderOf('CORE')).toEqual(rooms.toSorted());
});

test('so has each part of the verbs in tenant', () => {
  const parts = readdirSync(join(ROOT, 'src/core/tenant'), { withFileTypes: true })
    .filter((each) => each.isDirectory())
    .map(({ name }) => name);
  expect(orderOf('TENANT')).toEqual(parts.toSorted());
});

test('each room of core has a page of ten to twenty lines', () => {
  for (const room of rooms) {
    const lines = read(`src/core/${room}/README.md`).trimEnd().split('\n').length;
    expect({ room, isShort: lines >= 10 && lines <= 20 }).toEqual({ room, isShort: true });
  }
});

test('each decision has a number of its own, which its title repeats', () => {
  const files = readdirSync(join(ROOT, 'docs/decisions')).toSorted();
  const numbers = files.map((file) => Number.parseInt(file, 10));
  expect(numbers).toEqual(files.map((_, index) => index + 1));
  const titles = files.map((file) => Number(/^# (\d+)\. /.exec(read(`docs/decisions/${file}`))?.[1]));
  expect(titles).toEqual(numbers);
});

test.each(GUIDES)('every file and every function that %s names exists', (guide) => {
  const named = [
    ...read(guide)
      .replaceAll(/```.*?```/gs, '')
      .matchAll(/`([^`\n]+)`/g),
  ].map(([, name = '']) => name);
  const paths = named.filter((name) => /^(?:src|test|bin|docs|scripts)\/[\w./-]+$/.test(name));
  expect(paths.filter((path) => !existsSync(join(ROOT, path)) && !madeUp.includes(path))).toEqual([]);
  const files = named.filter((name) => /^[\w./-]+\.ts$/.test(name) && !paths.includes(name));
  const known = [...sources, 'vitest.config.ts', 'oxlint.config.ts'];
  expect(files.filter((file) => !known.some((path) => `/${path}`.endsWith(`/${file}`)))).toEqual([]);
  const identifiers = named.filter((name) => /^[a-z]+[A-Z]\w*$|^[A-Z]\w*[a-z]\w*$/.test(name));
  expect(identifiers.filter((name) => !words.has(name) && !madeUpWords.has(name))).toEqual([]);
});

test('the examples of CONTRIBUTING.md import what exists', () => {
  expect(examples.length).toBeGreaterThan(4);
  for (const { path, code } of examples) {
    for (const [, names = '', from = ''] of code.matchAll(/import (?:type )?\{([^}]*)\} from '(\.[^']*)'/g)) {
      const file = normalize(join(dirname(path), from));
      const text = examples.find((example) => example.path === file)?.code ?? read(file);
      for (const name of names.split(',').map((each) => each.trim().replace(/^type /, ''))) {
        const isExported = name === '' || new RegExp(`export [\\w ]*\\b${name}\\b`).test(text);
        expect({ path, name, from, isExported }).toEqual({ path, name, from, isExported: true });
      }
    }
  }
});
