import { relative } from 'node:path';
import { Option, type Command } from 'commander';
import type { MigrationFormat } from '../../core/files/make.ts';
import type { Context } from '../run/context.ts';
import type { CommandResult } from '../run/command-result.ts';
import type { Register } from '../run/register.ts';

export interface MakeFlags {
  readonly format?: MigrationFormat;
}

export function addMake(group: Command, register: Register): void {
  for (const scope of ['master', 'tenant'] as const) {
    const command = group
      .command(scope)
      .description(`write a new ${scope} migration`)
      .argument('<name>', 'letters, digits, _ and -')
      .addOption(
        new Option('--format <format>', 'file format (default: that of the newest file, or ts)').choices([
          'ts',
          'js',
          'sql',
        ]),
      );
    register(command, `make ${scope}`, (context, flags: MakeFlags, [name = '']) =>
      makeCommand(context, scope, name, flags),
    );
  }
}

async function makeCommand(
  context: Context,
  scope: 'master' | 'tenant',
  name: string,
  flags: MakeFlags,
): Promise<CommandResult> {
  const { makeMigration } = await import('../../core/files/make.ts');
  const folders = await context.folders();
  const folder = scope === 'master' ? folders.master : folders.tenants;
  const made = await makeMigration({ folder, name, format: flags.format });
  const path = relative(context.folder, made.path);
  if (made.note !== undefined)
    context.output.message(`${context.output.paintError.yellow('!')} ${made.note}`);
  return {
    document: { path, format: made.format, ...(made.note !== undefined && { note: made.note }) },
    text: () =>
      [
        `${context.output.paint.green('✔')} ${path}`,
        `  Fill in up and down, then: tenantctl migrate ${scope === 'master' ? 'master' : 'tenants'} --dry-run`,
      ].join('\n'),
  };
}
