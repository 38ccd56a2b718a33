import { basename } from 'node:path';
import { Option, type Command } from 'commander';
import type { QueryTenantsIntoResult } from '../../core/query/query-tenants-into.ts';
import type { QueryTenantsOptions, QueryTenantsResult } from '../../core/query/query-tenants.ts';
import { messageOf, TenantctlError } from '../../errors.ts';
import { readTextFile } from '../../text-file.ts';
import { counted, duration } from '../../wording.ts';
import { addTimeouts, concurrency, runOptions, selection } from '../flags/fleet-options.ts';
import type { RowFormat } from '../render/rows.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { failureOf, showFailures } from '../run/results.ts';
import { addWrite, refuseWithoutWrite, writeCommand, type WriteFlags } from './exec-write.ts';

interface ExecFlags extends WriteFlags {
  readonly sql?: string;
  readonly file?: string;
  readonly format?: RowFormat;
  readonly into?: string;
  readonly allowPartial?: boolean;
}

export function addExec(program: Command, register: Register): void {
  const format = new Option('--format <format>', 'how rows are written (default: table)');
  const command = program
    .command('exec')
    .description('ask every ACTIVE tenant one query, and show the rows; or write in every tenant')
    .option('--sql <sql>', 'one query; with --write any statements')
    .addOption(new Option('--file <file>', 'read the SQL from this file').conflicts('sql'))
    .addOption(format.choices(['table', 'csv', 'jsonl']).conflicts('write'))
    .addOption(
      new Option('--into <table>', 'replace the rows of this table instead of showing them').conflicts([
        'format',
        'write',
      ]),
    )
    .addOption(
      new Option(
        '--allow-partial',
        'with --into: replace them even if some tenants failed, without their rows',
      ).conflicts('write'),
    )
    .addOption(selection());
  register(addWrite(addTimeouts(command).addOption(concurrency())), 'exec', execCommand);
}

async function execCommand(context: Context, flags: ExecFlags): Promise<CommandResult> {
  const { output } = context;
  if (output.json && flags.format !== undefined)
    throw new TenantctlError('USAGE', '--json and --format exclude each other.', {
      hint: '--format jsonl writes one JSON document for each row.',
    });
  if (flags.allowPartial === true && flags.into === undefined)
    throw new TenantctlError('USAGE', '--allow-partial is for --into.', { hint: 'Add --into <table>.' });
  const sql = sqlOf(flags);
  if (flags.write === true)
    return writeCommand(context, flags, { sql, sqlName: flags.file && basename(flags.file) });
  refuseWithoutWrite(flags);
  // V8's flags for the parser depend on the configuration.
  await context.readEnvironment();
  // A wrong query is reported before a database that cannot be reached.
  const { parseQuery } = await import('../run/core.ts');
  await parseQuery(sql);
  return context.withDatabase(flags.concurrency, async (database, settings, _observe, core) => {
    // The embedded database cannot cancel a query.
    if (database.canCancel) context.interruption.cancelOnFirst();
    const options: Omit<QueryTenantsOptions, 'onRows'> = {
      ...runOptions(context, settings, flags),
      sql,
      observe(event) {
        if (output.verbose && event.type === 'note') output.message(event.message);
      },
    };
    const { into: table, allowPartial } = flags;
    if (table !== undefined)
      return execResult(context, await core.queryTenantsInto(database, { ...options, table, allowPartial }));
    const { createRowRenderer } = await import('../render/rows.ts');
    const renderer = createRowRenderer(output.json ? 'json' : (flags.format ?? 'table'), output.look);
    const result = await core.queryTenants(database, {
      ...options,
      onRows: async (rows) => output.part(await renderer.rows(rows)),
    });
    await output.part(await renderer.end());
    return execResult(context, result);
  });
}

function sqlOf({ sql, file, batch }: ExecFlags): string {
  if (typeof batch === 'string') {
    if (sql === undefined && file === undefined) return batch;
    throw new TenantctlError('USAGE', '--batch has SQL, and so has --sql or --file.', {
      hint: 'Give it once.',
    });
  }
  if (sql !== undefined) return sql;
  if (file === undefined)
    throw new TenantctlError('USAGE', 'There is no SQL.', { hint: 'Give it with --sql or --file.' });
  try {
    return readTextFile(file);
  } catch (error) {
    throw new TenantctlError('USAGE', `${file} cannot be read: it ${messageOf(error)}.`, { cause: error });
  }
}

function execResult(
  { output }: Context,
  result: QueryTenantsResult & Partial<QueryTenantsIntoResult>,
): CommandResult {
  const { totals, interrupted, durationMs, into } = result;
  const failed = result.tenants.filter(({ outcome }) => outcome === 'failed');
  showFailures(output, failed);
  if (!output.json) {
    const answered = `${totals.answered} of ${counted(totals.selected, 'tenant')}`;
    output.message(`${counted(totals.rows, 'row')} from ${answered}, ${duration(durationMs)}`);
    if (into !== undefined) output.message(tell(into));
  }
  const stopped = new TenantctlError(
    'INTERRUPTED',
    'The query was stopped before every tenant had answered.',
    {
      hint: 'Run the command again: it starts from the beginning.',
    },
  );
  return {
    document: { totals, interrupted, durationMs, ...(into && { into }), tenants: failed },
    error: interrupted ? stopped : failureOf(failed, totals.selected),
    interrupted,
  };
}

function tell({ table, replaced, rows }: QueryTenantsIntoResult['into']): string {
  return replaced ? `${table} has ${counted(rows, 'row')} now.` : `${table} was not changed.`;
}
