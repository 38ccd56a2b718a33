import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { EXAMPLES } from '../../../src/cli/examples.ts';
import { createProgram } from '../../../src/cli/program.ts';

test('every command has examples on its help page, and the program accepts each of them as that command', async () => {
  const called: string[] = [];
  const dispatch = async (name: string) => {
    called.push(name);
  };
  const names = leavesOf(createProgram('1.0.0', dispatch), '');
  expect(Object.keys(EXAMPLES).toSorted()).toEqual(names.toSorted());

  for (const [name, examples] of Object.entries(EXAMPLES)) {
    for (const example of examples) {
      const words = example
        .replace(/ > .*$/, '')
        .match(/'[^']*'|\S+/g)
        ?.map((word) => word.replaceAll("'", ''));
      if (name === 'help') continue;
      await createProgram('1.0.0', dispatch).exitOverride().parseAsync(words, { from: 'user' });
      expect({ example, command: called.at(-1) }).toEqual({ example, command: name });
    }
  }
});

/** The commands that do something, by their names. */
function leavesOf(command: Command, prefix: string): string[] {
  return command.commands.flatMap((each) => {
    const name = `${prefix}${each.name()}`;
    const isAlias = ['up', 'ls'].includes(name) || (prefix !== '' && each.name() === 'help');
    const own = !isAlias && (name === 'runs' || name === 'drift' || each.commands.length === 0) ? [name] : [];
    return [...own, ...leavesOf(each, `${name} `)];
  });
}
