import type { Command } from 'commander';
import type { Context } from '../run/context.ts';
import type { CommandResult } from '../run/command-result.ts';
import type { Register } from '../run/register.ts';

export function addInit(program: Command, register: Register): void {
  const command = program
    .command('init')
    .description('create migrations/, .env.example and ssl/ in this folder; existing files are kept');
  register(command, 'init', initCommand);
}

export async function initCommand(context: Context): Promise<CommandResult> {
  const { initProject } = await import('../../core/files/scaffold.ts');
  const folders = await context.folders();
  const result = await initProject({
    folder: context.folder,
    masterFolder: folders.master,
    tenantFolder: folders.tenants,
  });
  const { paint } = context.output;
  return {
    document: result,
    text: () =>
      [
        ...result.created.map((path) => `${paint.green('✔')} ${path}`),
        ...result.kept.map((path) => `${paint.dim('·')} ${path} ${paint.dim('(kept as it is)')}`),
        '',
        'Next: copy .env.example to .env, fill it in, and run',
        '  tenantctl doctor',
        '  tenantctl migrate master',
        '  tenantctl tenant provision default_tenant',
        'To try it without a server, add --embedded to each command.',
        'Keep .env and .tenantctl/ out of version control.',
      ].join('\n'),
  };
}
