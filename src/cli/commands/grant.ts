import type { Command } from 'commander';
import { grantDocument, plannedGrantDocument } from '../../core/documents/grant-document.ts';
import { addRun, concurrency, runOptions, type FleetFlags } from '../flags/fleet-options.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { tenantsResult } from '../run/results.ts';

interface GrantFlags extends FleetFlags {
  readonly revoke?: boolean;
}

export function addGrant(program: Command, register: Register): void {
  const application = program
    .command('grant')
    .description('give rights to the roles of applications')
    .command('application')
    .description("let an application's role read the registry and use all tenants, later ones included")
    .argument('<role>', 'the role that the application logs in as')
    .option('--revoke', 'take the rights back, and forget the role')
    .option('--dry-run', 'print the SQL that would run; change nothing');
  register(addRun(application).addOption(concurrency()), 'grant application', grantApplication);
}

function grantApplication(
  context: Context,
  flags: GrantFlags,
  [role = '']: readonly string[],
): Promise<CommandResult> {
  return context.withDatabase(flags.concurrency, async (database, settings, observe, core) => {
    const { revoke } = flags;
    if (flags.dryRun === true) {
      const plan = await core.readGrantPlan(database, role, { revoke });
      return {
        document: plannedGrantDocument(plan),
        text: ({ renderGrantPlan }, look) => renderGrantPlan(plan, look),
      };
    }
    const options = { ...runOptions(context, settings, flags), revoke, observe };
    const result = await core.grantApplication(database, role, options);
    return tenantsResult(
      context,
      result,
      {
        document: grantDocument(result),
        text: ({ renderGrant }, look) => renderGrant(result, revoke === true, look),
      },
      { total: result.totals.selected },
    );
  });
}
