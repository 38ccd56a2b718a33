import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { createProgram } from '../../../src/cli/program.ts';
import { parse } from '../../support/parse.ts';

const program = createProgram('1.0.0', () => Promise.resolve());

function pathsOf(command: Command, prefix: readonly string[]): string[][] {
  return command.commands.flatMap((each) => {
    const path = [...prefix, each.name()];
    return [path, ...pathsOf(each, path)];
  });
}

test('every command and every group has examples in its help, which "help" shows too', async () => {
  const paths = pathsOf(program, []);
  expect(paths.length).toBeGreaterThan(25);
  for (const path of paths.filter((words) => words.at(-1) !== 'help')) {
    const answer = await parse([...path, '--help']);
    expect(answer).toEqual({ help: expect.stringMatching(/\nExamples?:\n  tenantctl \w+/) });
    const [group = '', ...rest] = path;
    const others = [
      ['help', ...path],
      [group, '--help', ...rest],
      ...(rest.length > 0 ? [[group, 'help', ...rest]] : []),
    ];
    for (const other of others) expect({ other, ...(await parse(other)) }).toEqual({ other, ...answer });
  }
});

test('the help of the program names each option once', async () => {
  const { help } = (await parse(['--help'])) as { help: string };
  expect(help.match(/--dotenv <file>/g)).toHaveLength(1);
});

test.for([
  'help nosuch',
  'help migrate nosuch',
  'migrate help nosuch',
  'nosuch --help',
  'runs nosuch --help',
  'help status nosuch',
])('"%s" is a usage error', async (call) => {
  expect(await parse(call.split(' '))).toEqual({
    hint: expect.stringMatching(/ --help shows how to call it\.$/),
  });
});

test('the help of a misspelt command suggests the right one', async () => {
  expect(await parse(['help', 'migrat'])).toEqual({ hint: 'Did you mean migrate?' });
  expect(await parse(['help', 'migrate:latest'])).toEqual({ hint: expect.stringContaining('migrate all') });
});
