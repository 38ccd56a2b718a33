import { resolve } from 'node:path';
import type { Command } from 'commander';
import { TenantctlError } from '../../errors.ts';
import { shellWord, tenantWord } from '../../wording.ts';
import { readGenerated } from '../run/generated-file.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';

interface DumpFlags {
  readonly out?: string;
  readonly check?: string;
  readonly tenant?: string;
}

export function addSchema(program: Command, register: Register): void {
  const schema = program.command('schema').description("write a tenant's schema as SQL");
  const dump = schema
    .command('dump')
    .description('write what the migrations make as SQL, for review and for CI')
    .option('--out <file>', 'write it into this file, if it differs')
    .option('--check <file>', 'exit with 6 if this file differs, and show how; write nothing')
    .option('--tenant <org or schema>', 'the schema of this tenant as it is');
  register(dump, 'schema dump', dumpCommand);
}

async function dumpCommand(context: Context, flags: DumpFlags): Promise<CommandResult> {
  const { out, check, tenant } = flags;
  if (out !== undefined && check !== undefined)
    throw new TenantctlError('USAGE', '--check writes nothing: leave --out out.');
  const file = check ?? out;
  const path = file === undefined ? undefined : resolve(context.folder, file);
  const before = path === undefined ? undefined : readGenerated(path, 'Name a file for the schema.');
  const of = tenant === undefined ? '' : ` --tenant ${tenantWord(tenant)}`;
  const again = `Run tenantctl schema dump${of} --out ${shellWord(file ?? '')}, and commit the file.`;
  if (check !== undefined && before === undefined)
    throw new TenantctlError('CHECK_FAILED', `${check} does not exist.`, { hint: again });
  const { DUMP_HEADER } = await import('../run/core.ts');
  if (out !== undefined && before?.startsWith(DUMP_HEADER) === false)
    await context.confirm(`${out} was not written by tenantctl schema dump, and would be replaced.`);
  return context.withDatabase(undefined, async (database, { folders }, observe, core) => {
    const sql = await core.dumpSchema(database, {
      tenantFolder: folders.tenants,
      repeatableFolder: folders.repeatable,
      tenant,
      signal: context.interruption.signal,
      observe,
    });
    if (path === undefined || file === undefined) {
      if (!context.output.json) await context.output.part(sql);
      return { document: { sql } };
    }
    const changed = before !== sql;
    if (check !== undefined) {
      const diff = core.unifiedDiff({ name: file, text: before ?? '' }, { name: 'schema dump', text: sql });
      const error = changed
        ? new TenantctlError('CHECK_FAILED', `${file} has another schema.`, { hint: again })
        : undefined;
      return { document: { file, changed, diff }, text: () => diff.trimEnd(), error };
    }
    const { replaceFile } = await import('../run/replace-file.ts');
    if (changed) await replaceFile(path, sql);
    return {
      document: { file, changed },
      text: (_, { paint, marks }) => `${paint.green(marks.ok)} ${file}${changed ? '' : ' (unchanged)'}`,
    };
  });
}
