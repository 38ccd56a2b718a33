import { Option, type Command } from 'commander';
import { balanceDocument, balancePlanDocument } from '../../core/documents/balance-document.ts';
import type { BalanceMeasure } from '../../core/fleet/plan-balance.ts';
import { addRun, runOptions, type FleetFlags } from '../flags/fleet-options.ts';
import { count, percent } from '../flags/numbers.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { tenantsResult } from '../run/results.ts';

interface BalanceFlags extends FleetFlags {
  readonly by: BalanceMeasure;
  readonly threshold: number;
  readonly maxMoves?: number;
  readonly drain?: string;
  readonly blockWrites?: boolean;
  readonly concurrency: number;
}

export function addFleet(program: Command, register: Register): void {
  const balance = program
    .command('fleet')
    .description('even out the tenants over the nodes of a Citus cluster')
    .command('balance')
    .description('move tenants from full nodes to emptier ones, one after the other')
    .addOption(new Option('--by <what>', 'what is to be even').choices(['size', 'tenants']).default('size'))
    .addOption(
      new Option('--threshold <percent>', 'leave nodes alone that are so near to the average')
        .argParser(percent)
        .default(10),
    )
    .addOption(new Option('--max-moves <n>', 'move at most so many tenants').argParser(count))
    .option('--drain <node>', 'move everything away from this node, and nothing else: host:port, or the host')
    .option('--block-writes', 'copy tenants while nobody can write to them: for tables without a primary key')
    .addOption(
      new Option('--concurrency <n>', 'number of tenants to move in parallel').argParser(count).default(1),
    )
    .option('--dry-run', 'show what would be moved; change nothing');
  register(addRun(balance), 'fleet balance', balanceFleet);
}

function balanceFleet(context: Context, flags: BalanceFlags): Promise<CommandResult> {
  return context.withDatabase(flags.concurrency, async (database, settings, observe, core) => {
    const { by, threshold, maxMoves, drain, blockWrites } = flags;
    const options = {
      ...runOptions(context, settings, flags),
      by,
      threshold,
      maxMoves,
      drain,
      blockWrites,
      observe,
    };
    if (flags.dryRun === true) {
      const plan = await core.planTenantBalance(database, options);
      return {
        document: balancePlanDocument(plan),
        text: ({ renderBalancePlan }, look) => renderBalancePlan(plan, look),
      };
    }
    const result = await core.balanceTenants(database, options);
    return tenantsResult(context, result, {
      document: balanceDocument(result),
      text: ({ renderBalance }, look) => renderBalance(result, context.output.verbose, look),
    });
  });
}
