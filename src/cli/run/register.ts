import type { Command } from 'commander';
import type { Context } from './context.ts';
import type { CommandResult } from './command-result.ts';

/** Gives a command its name in documents and its run function. */
export type Register = <Flags extends object>(
  command: Command,
  name: string,
  run: (context: Context, flags: Flags, positionals: readonly string[]) => Promise<CommandResult>,
) => void;
