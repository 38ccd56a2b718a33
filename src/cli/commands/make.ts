import { relative } from 'node:path';
import { Option, type Command } from 'commander';
import type { MigrationFormat } from '../../core/files/make.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';

interface MakeFlags {
  readonly format?: MigrationFormat;
}

export function addMake(program: Command, register: Register): void {
  const make = program.command('make').alias('new').description('write a new migration or seed file');
  for (const scope of ['master', 'tenant', 'seed'] as const) {
    const format = new Option('--format <format>', 'file format (default: that of the newest file, or ts)');
    const command = make
      .command(scope)
      .description(scope === 'seed' ? 'write a new seed for tenants' : `write a new ${scope} migration`)
      .argument('<name>', 'letters, digits, _ and -')
      .addOption(format.choices(['ts', 'js', 'sql']));
    register(command, `make ${scope}`, (context, flags: MakeFlags, [name = '']) =>
      makeCommand(context, scope, name, flags),
    );
  }
}

async function makeCommand(
  context: Context,
  scope: 'master' | 'tenant' | 'seed',
  name: string,
  { format: wanted }: MakeFlags,
): Promise<CommandResult> {
  const { makeMigration, makeSeed } = await import('../../core/files/make.ts');
  const { master, tenants, seeds } = await context.folders();
  const folder = { master, tenant: tenants, seed: seeds }[scope];
  const make = scope === 'seed' ? makeSeed : makeMigration;
  const made = await make({ folder, name, format: wanted });
  const path = relative(context.folder, made.path);
  const { format, note } = made;
  if (note !== undefined) context.output.warn(note);
  return {
    document: { path, format, ...(note !== undefined && { note }) },
    text: (_, { paint, marks }) => `${paint.green(marks.ok)} ${path}\n  ${NEXT[scope]} --dry-run`,
  };
}

const NEXT = {
  master: 'Fill in up and down, then: tenantctl migrate master',
  tenant: 'Fill in up and down, then: tenantctl migrate tenants',
  seed: 'Fill it in, then: tenantctl seed tenants',
} as const;
