import type { Command } from 'commander';
import { findCommand } from '../run/command-path.ts';

const LOOKS_LIKE_A_FOLDER = /^\.|[/\\]/;

/**
 * Makes `--embedded [dir]` unambiguous: `--embedded=dir`, or `--embedded=` for the default. The next word may
 * be its folder, a command (`--embedded migrate master`) or an argument (`tenant provision --embedded
 * org_1`); if arguments are possible, a folder must look like a path.
 */
export function settleEmbedded(args: readonly string[], program: Command): string[] {
  const settled: string[] = [];
  let command: Command | undefined;
  for (let at = 0; at < args.length; at += 1) {
    const word = args[at] ?? '';
    if (word === '--') return [...settled, ...args.slice(at)];
    const next = args[at + 1];
    if (word === '--embedded=' || (word === '--embedded' && next === ''))
      program.error(
        "error: option '--embedded [dir]' argument is empty; without one it means the usual folder",
      );
    if (word !== '--embedded') {
      command ??= findCommand(program, word);
      settled.push(word);
      continue;
    }
    if (next !== undefined && isFolder(next, command ?? program)) {
      settled.push(`--embedded=${next}`);
      at += 1;
    } else settled.push('--embedded=');
  }
  return settled;
}

function isFolder(word: string, command: Command): boolean {
  if (word.startsWith('-')) return false;
  if (LOOKS_LIKE_A_FOLDER.test(word)) return true;
  if (command.parent !== null && takesArguments(command)) return false;
  return findCommand(command, word) === undefined;
}

function takesArguments(command: Command): boolean {
  const commands = command.commands.filter((each) => each.name() !== 'help');
  return command.registeredArguments.length > 0 || commands.some(takesArguments);
}
