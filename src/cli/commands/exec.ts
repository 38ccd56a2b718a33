import { Option, type Command } from 'commander';
import type { QueryTenantsOptions, QueryTenantsResult } from '../../core/query/query-tenants.ts';
import { messageOf, TenantctlError } from '../../errors.ts';
import { readTextFile } from '../../text-file.ts';
import { counted } from '../../wording.ts';
import {
  addConcurrency,
  addTenants,
  addTimeouts,
  runOptions,
  type PaceFlags,
} from '../flags/fleet-options.ts';
import { shortError } from '../render/error.ts';
import type { RowFormat } from '../render/rows.ts';
import { duration } from '../render/words.ts';
import type { CommandResult } from '../run/command-result.ts';
import type { Context } from '../run/context.ts';
import { failureOf } from '../run/failure.ts';
import type { Register } from '../run/register.ts';

interface ExecFlags extends PaceFlags {
  readonly sql?: string;
  readonly file?: string;
  readonly format?: RowFormat;
  readonly tenant?: readonly string[];
}

export function addExec(program: Command, register: Register): void {
  const command = program
    .command('exec')
    .description('send one query to every ACTIVE tenant, and show the rows with the organization')
    .option('--sql <query>', 'one statement that only reads: SELECT, WITH, VALUES, TABLE, SHOW, EXPLAIN')
    .addOption(new Option('--file <file>', 'read the statement from this file').conflicts('sql'))
    .addOption(
      new Option('--format <format>', 'how rows are written (default: table)').choices([
        'table',
        'csv',
        'jsonl',
      ]),
    );
  register(addConcurrency(addTimeouts(addTenants(command))), 'exec', execCommand);
}

export async function execCommand(context: Context, flags: ExecFlags): Promise<CommandResult> {
  const { output } = context;
  if (output.json && flags.format !== undefined)
    throw new TenantctlError('USAGE', '--json and --format exclude each other.', {
      hint: '--format jsonl writes one JSON document for each row.',
    });
  const sql = sqlOf(flags);
  // Checked and loaded while the server is answering. What is wrong with the query goes first.
  const checked = import('../../core/query/statement.ts').then(({ parseQuery }) => parseQuery(sql));
  const core = import('../../core/query/query-tenants.ts');
  const rendering = import('../render/rows.ts');
  checked.catch(() => {});
  const work = context.withDatabase(flags.concurrency, async (database, settings) => {
    await checked;
    // The embedded database cancels nothing.
    if (database.canCancel) context.interruption().cancelOnFirst();
    const { createRowRenderer } = await rendering;
    const renderer = createRowRenderer(output.json ? 'json' : (flags.format ?? 'table'), output.paint);
    const { queryTenants } = await core;
    const options: QueryTenantsOptions = {
      ...runOptions(context, settings, flags),
      sql,
      tenants: flags.tenant,
      concurrency: flags.concurrency,
      onRows: async (rows) => output.part(await renderer.rows(rows)),
      observe(event) {
        if (output.verbose && event.type === 'note') output.message(event.message);
      },
    };
    const result = await queryTenants(database, options);
    await output.part(await renderer.end());
    return toCommandResult(context, result);
  });
  return work.catch(async (error: unknown) => {
    await checked;
    throw error;
  });
}

function sqlOf({ sql, file }: ExecFlags): string {
  if (sql !== undefined) return sql;
  if (file === undefined)
    throw new TenantctlError('USAGE', 'There is no query.', { hint: 'Give it with --sql or --file.' });
  try {
    return readTextFile(file).replace(/^\uFEFF/, '');
  } catch (error) {
    throw new TenantctlError('USAGE', `${file} cannot be read: it ${messageOf(error)}.`, { cause: error });
  }
}

function toCommandResult({ output }: Context, result: QueryTenantsResult): CommandResult {
  const { totals, interrupted, durationMs } = result;
  const failed = result.tenants.filter(({ outcome }) => outcome === 'failed');
  if (!output.json) {
    if (failed.length > 1)
      for (const { clerkOrgId, error } of failed)
        output.complain(`${output.paintError.red('✖')} ${clerkOrgId}: ${shortError(error)}`);
    output.message(
      `${counted(totals.rows, 'row')} from ${totals.answered} of ${counted(totals.selected, 'tenant')}, ${duration(durationMs)}`,
    );
  }
  const failure = failureOf(
    failed.map(({ error }) => error),
    totals.selected,
  );
  return {
    document: { totals, interrupted, durationMs, tenants: failed },
    text: () => '',
    error: interrupted ? stopped() : failure,
    interrupted,
  };
}

function stopped(): TenantctlError {
  return new TenantctlError('INTERRUPTED', 'The query was stopped before every tenant had answered.', {
    hint: 'Run the command again: it begins anew.',
  });
}
