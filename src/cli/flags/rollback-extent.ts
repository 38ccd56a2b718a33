import { Option, type Command } from 'commander';

/** How much a rollback undoes. */
export interface ExtentFlags {
  readonly all?: boolean;
  readonly to?: string;
  readonly dryRun?: boolean;
}

export function addExtent(command: Command): Command {
  return command
    .addOption(new Option('--all', 'undo all migrations; asks for confirmation').conflicts('to'))
    .option('--to <name>', 'undo all migrations down to this one, this one included')
    .option('--dry-run', 'print the SQL that would run; change nothing');
}

export function extentOf(flags: ExtentFlags): { readonly all: true } | { readonly to: string } | undefined {
  if (flags.all === true) return { all: true };
  return flags.to === undefined ? undefined : { to: flags.to };
}
