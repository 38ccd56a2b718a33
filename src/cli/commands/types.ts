import { resolve } from 'node:path';
import type { Command } from 'commander';
import { TenantctlError } from '../../errors.ts';
import { shellWord } from '../../wording.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { readGenerated } from '../run/generated-file.ts';
import { createProgress } from '../terminal/progress.ts';

interface TypesFlags {
  readonly out?: string;
  readonly check?: boolean;
  readonly tenant?: string;
}

export function addTypes(program: Command, register: Register): void {
  const command = program
    .command('types')
    .description("print TypeScript types of a tenant's tables and of the shared ones, for Kysely")
    .option('--out <file>', 'write them into this file, if they differ')
    .option('--check', 'exit with 6 if the file of --out has other types; write nothing')
    .option(
      '--tenant <org or schema>',
      'read them from this tenant of the configured database; by default all migrations run on a PostgreSQL in memory',
    );
  register(command, 'types', typesCommand);
}

async function typesCommand(context: Context, flags: TypesFlags): Promise<CommandResult> {
  const { out, check = false } = flags;
  if (out === undefined) {
    if (check) throw new TenantctlError('USAGE', '--check needs --out <file>.');
    const types = await readTypes(context, flags);
    if (!context.output.json) await context.output.part(types);
    return { document: { types } };
  }
  const path = resolve(context.folder, out);
  const before = readGenerated(path, 'Name a file for the types.');
  const hint = `Run tenantctl types --out ${shellWord(out)}, and commit the file.`;
  if (check && before === undefined)
    throw new TenantctlError('CHECK_FAILED', `${out} does not exist.`, { hint });
  const { HEADER } = await import('../../core/types/render-types.ts');
  if (!check && before?.startsWith(HEADER) === false)
    await context.confirm(`${out} was not written by tenantctl types, and would be replaced.`);
  const types = await readTypes(context, flags);
  const changed = before !== types;
  // Loaded here, since --help would pay for node:fs/promises.
  const { replaceFile } = await import('../run/replace-file.ts');
  if (changed && !check) await replaceFile(path, types);
  return {
    document: { out, changed },
    text: (_, { paint, marks }) =>
      changed && check ? '' : `${paint.green(marks.ok)} ${out}${changed ? '' : ' (unchanged)'}`,
    error:
      changed && check ? new TenantctlError('CHECK_FAILED', `${out} has other types.`, { hint }) : undefined,
  };
}

async function readTypes(context: Context, { tenant }: TypesFlags): Promise<string> {
  if (tenant !== undefined)
    return context.withDatabase(undefined, (database, { folders }, _observe, core) =>
      core.typesOfTenant(database, tenant, {
        tenantFolder: folders.tenants,
        repeatableFolder: folders.repeatable,
      }),
    );
  const { folders, names, vectorExtension } = await context.settingsInMemory();
  const { typesOfMigrations } = await import('../run/core.ts');
  const progress = createProgress(context.output);
  try {
    return await typesOfMigrations({
      masterFolder: folders.master,
      tenantFolder: folders.tenants,
      repeatableFolder: folders.repeatable,
      names,
      vectorExtension,
      signal: context.interruption.signal,
      observe: progress.observe,
    });
  } finally {
    progress.stop();
  }
}
