import type { Command } from 'commander';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';

export function addInit(program: Command, register: Register): void {
  const command = program
    .command('init')
    .description('create migrations/, .env.example and ssl/ in this folder; existing files are kept');
  register(command, 'init', initCommand);
}

async function initCommand(context: Context): Promise<CommandResult> {
  const { initProject } = await import('../../core/files/scaffold.ts');
  const { master, tenants } = await context.folders();
  const result = await initProject({
    folder: context.folder,
    masterFolder: master,
    tenantFolder: tenants,
  });
  return {
    document: result,
    text: (_, { paint, marks }) =>
      [
        ...result.created.map((path) => `${paint.green(marks.ok)} ${path}`),
        ...result.kept.map((path) => `${paint.dim(marks.skipped)} ${path} ${paint.dim('(kept as it is)')}`),
        NEXT_STEPS,
      ].join('\n'),
  };
}

const NEXT_STEPS = `
Next: copy .env.example to .env, fill it in, and run
  tenantctl doctor
  tenantctl migrate master
  tenantctl tenant provision default_tenant
To try it without a server, add --embedded to each command.
Keep .env and .tenantctl/ out of version control.`;
