import { Option, type Command } from 'commander';
import type { AcceptedEdit } from '../../core/commands/accept-edits.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { addMark } from './history-mark.ts';

interface AcceptFlags {
  readonly master?: boolean;
  readonly tenants?: boolean;
}

export function addHistory(program: Command, register: Register): void {
  const history = program.command('history').description('correct what is recorded of applied migrations');
  const accept = history
    .command('accept')
    .description('accept that applied migration files were edited, and stop warning of it')
    .argument('<name...>', 'names of migration files, with or without extension')
    .addOption(new Option('--master', 'only master migrations').conflicts('tenants'))
    .option('--tenants', 'only tenant migrations')
    .addHelpText('after', EPILOGUE);
  register(accept, 'history accept', acceptCommand);
  addMark(history, register);
}

function acceptCommand(
  context: Context,
  { master, tenants }: AcceptFlags,
  names: readonly string[],
): Promise<CommandResult> {
  return context.withDatabase(undefined, async (database, { folders }, observe, core) => {
    const files = await core.acceptEdits(database, {
      names,
      masterFolder: tenants === true ? undefined : folders.master,
      tenantFolder: master === true ? undefined : folders.tenants,
      observe,
    });
    return {
      document: { files },
      text: (_, { paint, marks }) =>
        files.map((file) => `${paint.green(marks.ok)} ${sentence(file)}`).join('\n'),
    };
  });
}

function sentence({ scope, name, outcome }: AcceptedEdit): string {
  const what = `${name} (${scope === 'master' ? 'master' : 'tenant'} migration)`;
  return outcome === 'accepted'
    ? `${what}: the edit is accepted.`
    : `${what} has not been edited since it was applied or accepted.`;
}

const EPILOGUE = `
Runs warn of a file that was edited after it was applied, because the edit has no effect on schemas that have applied
it. Accept an edit that changes nothing: a comment, the format. The file counts as edited again after the next edit.
Histories and schemas are not changed.`;
