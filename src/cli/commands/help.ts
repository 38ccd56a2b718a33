import type { Command } from 'commander';
import { examplesOf } from '../examples.ts';
import { findCommand } from '../run/command-path.ts';

/** Adds `help [command...]` to the program and, hidden, to each group; an unknown command is an error. */
export function addHelp(program: Command): void {
  for (const group of [program, ...program.commands.filter(({ commands }) => commands.length > 0)]) {
    const help = group.helpCommand(false).command('help', { hidden: group !== program });
    help
      .description('show the help of a command')
      .argument('[command...]', 'the command: migrate tenants')
      .addHelpText('after', examplesOf('help'))
      .action((words: string[]) => showHelp(group, words));
  }
}

function showHelp(group: Command, [word, ...rest]: readonly string[]): never {
  if (word === undefined) return group.help();
  const command = findCommand(group, word);
  if (command !== undefined) return showHelp(command, rest);
  group.args = [word, ...rest];
  return group.error(`error: unknown command '${word}'`, { code: 'commander.unknownCommand' });
}
