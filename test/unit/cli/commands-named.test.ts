import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { insteadOf } from '../../../src/cli/words.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { findCommand, lineage } from '../../../src/cli/run/command-path.ts';
import { similarTo } from '../../../src/similar.ts';
import { parse } from '../../support/parse.ts';

const ROOT = join(import.meta.dirname, '../../..');
const filesOf = (folder: string, extension: string) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(extension))
    .map((path) => `${folder}/${path}`);
const SOURCES = [...filesOf('src', '.ts'), ...filesOf('scripts', '.ts')];
const PAGES = [...filesOf('docs', '.md'), 'README.md', 'CHANGELOG.md', 'ssl/README.md'];
/** Stands for a value that a message inserts. */
const ANY = 'ANY';
const program = createProgram('1.0.0', () => Promise.resolve());

/** Verbs of sentences about tenantctl that look like a misspelt command. */
const VERBS = ['makes', 'send', 'upgrade'];

/** What is wrong with the words after "tenantctl", in a sentence or in code; undefined if nothing is. */
function problemWith(words: readonly string[]): string | undefined {
  const [first = '', ...rest] = words;
  if (first.startsWith('--')) return flagProblem(program, first) ?? problemWith(rest);
  const command = findCommand(program, first);
  if (command === undefined) {
    const isMistake = insteadOf([first]) !== undefined || similarTo(first, namesOf(program)).length > 0;
    return isMistake && !VERBS.includes(first) ? `no command: ${first}` : undefined;
  }
  const verb = findCommand(command, rest[0] ?? '');
  const isGroup = command.commands.length > 0 && !['runs', 'drift'].includes(command.name());
  if (isGroup && rest[0] === ANY) return undefined;
  if (isGroup && verb === undefined) return `no command: ${first} ${rest[0]}`;
  const problems = rest.flatMap((word) => flagProblem(verb ?? command, word) ?? []);
  return problems[0];
}

const namesOf = (group: Command) => group.commands.map((command) => command.name());

function flagProblem(command: Command, word: string): string | undefined {
  const [flag] = /^--[a-z-]+/.exec(word) ?? [];
  if (flag === undefined || flag === '--help') return undefined;
  const known = lineage(command).flatMap(({ options }) => options.map(({ long }) => long));
  return known.includes(flag) ? undefined : `${command.name()} has no ${flag}`;
}

/** A call ends with its sentence, its quotes or its line. */
const WORD = String.raw`(?:[^\s\`'"|;,:.)#·\\]|\.(?=\w))+`;
const CALL = new RegExp(String.raw`\btenantctl (${WORD}(?: ${WORD})*)`, 'g');

test('every command and flag that a hint, a message, the help or a page names exists', () => {
  const wrong: string[] = [];
  let count = 0;
  for (const path of [...SOURCES, ...PAGES]) {
    const text = readFileSync(join(ROOT, path), 'utf8').replaceAll(
      /(?<=(\w?))\$\{[^}]*\}/g,
      (_, before: string) => (before === '' ? ANY : ` ${ANY}`),
    );
    for (const [call, rest = ''] of text.matchAll(CALL)) {
      const problem = problemWith(rest.split(' '));
      if (problem !== undefined) wrong.push(`${path}: ${call}: ${problem}`);
      count += 1;
    }
  }
  expect(wrong).toEqual([]);
  expect(count).toBeGreaterThan(200);
});

test('every call in a code block of a page is one that the program accepts', async () => {
  let count = 0;
  for (const path of PAGES) {
    const blocks = readFileSync(join(ROOT, path), 'utf8').matchAll(/^```(?:bash|sh|console)\n(.*?)^```/gms);
    for (const [, block = ''] of blocks) {
      for (const [call, rest = ''] of block.matchAll(/^(?:\$ |npx )?tenantctl ([^#>|\n]+)/gm)) {
        const words = (rest.match(/'[^']*'|"[^"]*"|\S+/g) ?? []).map((word) =>
          word.replaceAll(/^['"]|['"]$/g, ''),
        );
        expect({ path, call, ...(await parse(words)) }).not.toHaveProperty('hint');
        count += 1;
      }
    }
  }
  expect(count).toBeGreaterThan(20);
});
