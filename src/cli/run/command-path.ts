import type { Command } from 'commander';

/** Short forms at the top level, and the commands that they stand for. */
const SHORT_FORMS: Readonly<Record<string, string>> = { up: 'migrate all', ls: 'tenant list' };

export function findCommand(group: Command, name: string): Command | undefined {
  return group.commands.find((command) => command.name() === name || command.aliases().includes(name));
}

/** "migrate tenants", also under a short form; empty for the program itself. */
export function commandPath(command: Command): string {
  const names = lineage(command).map((each) => each.name());
  const path = names.slice(0, -1).toReversed().join(' ');
  return SHORT_FORMS[path] ?? path;
}

/** The command and the groups that it belongs to, the program last. */
export function lineage(command: Command): Command[] {
  return command.parent === null ? [command] : [command, ...lineage(command.parent)];
}
