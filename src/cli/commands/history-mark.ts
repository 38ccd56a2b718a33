import { Option, type Command } from 'commander';
import type { MarkResult } from '../../core/commands/mark-migrations.ts';
import { marksDocument, plannedMarksDocument } from '../../core/documents/mark-document.ts';
import { counted, namedTenants } from '../../wording.ts';
import {
  addRun,
  concurrency,
  include,
  runOptions,
  selection,
  type FleetFlags,
} from '../flags/fleet-options.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { tenantsResult } from '../run/results.ts';

interface MarkFlags extends FleetFlags {
  readonly master?: boolean;
}

/** Adds `history mark`. */
export function addMark(history: Command, register: Register): void {
  const mark = history
    .command('mark')
    .description('record migrations that schemas have already as applied, without running them')
    .argument('[name...]', 'names of migration files, with or without extension')
    .addOption(new Option('--all', 'all migrations').conflicts('to'))
    .option('--to <name>', 'all migrations up to this one, this one included')
    .addOption(
      new Option('--master', 'master migrations, in the history of public').conflicts(['tenant', 'include']),
    )
    .addOption(selection())
    .addOption(include())
    .option('--allow-out-of-order', 'leave migrations pending that sort before a recorded one')
    .option('--allow-newer-history', 'continue if the history is newer than every file')
    .option('--dry-run', 'show what would be recorded; change nothing')
    .addHelpText('after', EPILOGUE);
  register(addRun(mark).addOption(concurrency()), 'history mark', markMigrations);
}

function markMigrations(
  context: Context,
  flags: MarkFlags,
  names: readonly string[],
): Promise<CommandResult> {
  return context.withDatabase(flags.concurrency, async (database, settings, observe, core) => {
    const { master, all, to } = flags;
    const options = {
      ...runOptions(context, settings, flags),
      folder: master === true ? settings.folders.master : settings.folders.tenants,
      names,
      all,
      to,
      master,
      observe,
    };
    const planned = await core.planMarking(database, options);
    const due = planned.filter(({ outcome }) => outcome === 'marked');
    if (flags.dryRun === true) return plannedResult(context, planned);
    if (due.length > 0) await context.confirm(question(due));
    const marks = await core.markMigrations(database, options);
    return tenantsResult(context, marks, {
      document: marksDocument(marks),
      text: ({ renderMarks }, look) => renderMarks(marks.tenants, false, look),
    });
  });
}

function question(due: readonly MarkResult[]): string {
  const names = [...new Set(due.flatMap((result) => result.names))];
  const organizations = due.flatMap(({ clerkOrgId }) => clerkOrgId ?? []);
  const where = organizations.length === 0 ? 'the master schema' : namedTenants(organizations);
  return `This records ${counted(names.length, 'migration')} as applied in ${where}. ${names.length === 1 ? 'It is' : 'They are'} not run, now or later: a schema that lacks what ${names.length === 1 ? 'it makes' : 'they make'} stays without it.`;
}

function plannedResult(context: Context, planned: readonly MarkResult[]): CommandResult {
  return tenantsResult(
    context,
    { tenants: planned },
    {
      document: plannedMarksDocument(planned),
      text: ({ renderMarks }, look) => renderMarks(planned, true, look),
    },
    { verb: 'would fail' },
  );
}

const EPILOGUE = `
For a team that comes without Knex's history: its schemas have tables already, and migrations that make them were
written afterwards. tenantctl does not compare the schemas with the migrations.`;
