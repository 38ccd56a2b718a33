import type { Command } from 'commander';
import { reportDocument } from '../../core/documents/report-document.ts';
import type { FleetReport } from '../../core/fleet/fleet-report.ts';
import { TenantctlError } from '../../errors.ts';
import { counted } from '../../wording.ts';
import { masterFolderOf } from '../flags/fleet-options.ts';
import { count } from '../flags/numbers.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';

interface ReportFlags {
  readonly html?: string;
  readonly limit?: number;
  readonly sizes: boolean;
}

export function addReport(program: Command, register: Register): void {
  const command = program
    .command('report')
    .description('write a page about the fleet: versions, tenants, runs, the slowest, sizes')
    .option('--html <file>', 'write one HTML file that needs no network; - for stdout')
    .option('--limit <n>', 'number of runs, newest first (default: 50)', count)
    .option('--no-sizes', "do not measure the tenants' schemas");
  register(command, 'report', reportCommand);
}

const STDOUT = '-';

async function reportCommand(context: Context, { html, limit, sizes }: ReportFlags): Promise<CommandResult> {
  const { output } = context;
  assertDestination(html, output.json);
  // Loaded here, since --help would pay for node:fs/promises.
  const { assertReplaceable, replaceFile } = await import('../run/replace-file.ts');
  if (html !== undefined && html !== STDOUT) await assertReplaceable(html);
  return context.withDatabase(undefined, async (database, settings, _observe, core) => {
    const report = await core.fleetReport(database, {
      masterFolder: masterFolderOf(settings),
      tenantFolder: settings.folders.tenants,
      limit,
      sizes,
    });
    const document = reportDocument(report);
    if (report.sizesNote !== undefined) output.warn(report.sizesNote);
    if (html === undefined) return { document };
    const { reportPage } = await import('../render/report-page.ts');
    const page = await reportPage(output.masked({ command: 'report', ok: true, ...document }));
    if (html === STDOUT) await output.part(page);
    else await replaceFile(html, page);
    return { document, text: () => (html === STDOUT ? '' : summary(html, page, report)) };
  });
}

/** @throws TenantctlError USAGE */
function assertDestination(html: string | undefined, json: boolean): void {
  if (html === undefined && !json)
    throw new TenantctlError('USAGE', 'The report has no destination.', {
      hint: 'Write the page with --html report.html, or print its facts with --json.',
    });
  if (html === STDOUT && json)
    throw new TenantctlError('USAGE', '--html - and --json both write to stdout.', {
      hint: 'Write the page to a file: --html report.html.',
    });
}

function summary(path: string, page: string, { tenants, runs }: FleetReport): string {
  const kilobytes = Math.ceil(Buffer.byteLength(page) / 1000);
  return `Wrote ${path}: ${counted(tenants.length, 'tenant')}, ${counted(runs.length, 'run')}, ${kilobytes} kB`;
}
