import type { Command } from 'commander';

/** For the help of commands that call hooks. */
export function addHooksHelp(command: Command): Command {
  return command.addHelpText('after', HELP);
}

const HELP =
  '\nIf there is a file tenantctl.hooks.ts beside migrations/, its functions are called for each tenant.';
