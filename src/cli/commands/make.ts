import { relative } from 'node:path';
import { Option, type Command } from 'commander';
import type { MigrationFormat } from '../../core/files/make.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';

interface MakeFlags {
  readonly format?: MigrationFormat;
}

export function addMake(program: Command, register: Register): void {
  const make = program.command('make').alias('new').description('write a new migration file');
  for (const scope of ['master', 'tenant'] as const) {
    const format = new Option('--format <format>', 'file format (default: that of the newest file, or ts)');
    const command = make
      .command(scope)
      .description(`write a new ${scope} migration`)
      .argument('<name>', 'letters, digits, _ and -')
      .addOption(format.choices(['ts', 'js', 'sql']));
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
  const { master, tenants } = await context.folders();
  const made = await makeMigration({
    folder: scope === 'master' ? master : tenants,
    name,
    format: flags.format,
  });
  const path = relative(context.folder, made.path);
  const { format, note } = made;
  if (note !== undefined) context.output.warn(note);
  const migrate = `tenantctl migrate ${scope === 'master' ? 'master' : 'tenants'} --dry-run`;
  return {
    document: { path, format, ...(note !== undefined && { note }) },
    text: (_, { paint, marks }) =>
      `${paint.green(marks.ok)} ${path}\n  Fill in up and down, then: ${migrate}`,
  };
}
