import type { Command } from 'commander';

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
    if (word !== '--embedded') {
      command ??= verbOf(program, word);
      settled.push(word);
      continue;
    }
    const next = args[at + 1];
    if (next !== undefined && isFolder(next, command ?? program)) {
      settled.push(`--embedded=${next}`);
      at += 1;
    } else settled.push('--embedded=');
  }
  return settled;
}

function isFolder(word: string, command: Command): boolean {
  if (word === '' || word.startsWith('-')) return false;
  if (LOOKS_LIKE_A_FOLDER.test(word)) return true;
  if (command.parent !== null && takesArguments(command)) return false;
  return word !== 'help' && verbOf(command, word) === undefined;
}

function verbOf(command: Command, name: string): Command | undefined {
  return command.commands.find((verb) => verb.name() === name);
}

function takesArguments(command: Command): boolean {
  return command.registeredArguments.length > 0 || command.commands.some(takesArguments);
}
