import type { Command } from 'commander';
import type { ForEachTenantResult } from '../../core/commands/for-each-tenant.ts';
import type { Share } from '../../core/rollout/options.ts';
import { withReport } from '../../core/documents/document.ts';
import type { ErrorCode } from '../../error-code.ts';
import { messageOf, TenantctlError } from '../../errors.ts';
import { counted, duration } from '../../wording.ts';
import { concurrency, selection, type FleetFlags } from '../flags/fleet-options.ts';
import { maxFailures } from '../flags/rollout-options.ts';
import type { ChildEnd } from '../run/children.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { failureOf, showFailures } from '../run/results.ts';

interface EachFlags extends Pick<FleetFlags, 'tenant' | 'concurrency'> {
  readonly maxFailures?: Share;
}

export function addEach(program: Command, register: Register): void {
  const command = program
    .command('each')
    .description(
      'run a program for every ACTIVE tenant, with the tenant and the connection in its environment',
    )
    .argument('<command...>', 'after --: the program and its arguments; there is no shell')
    .addOption(selection())
    .addOption(concurrency())
    .addOption(maxFailures());
  register(command, 'each', eachCommand);
}

async function eachCommand(
  context: Context,
  flags: EachFlags,
  [program = '', ...args]: readonly string[],
): Promise<CommandResult> {
  const { output, interruption, folder } = context;
  const { isProgram, refuseEmbedded, withEnvironment } = await import('../run/programs.ts');
  const { createChildren } = await import('../run/children.ts');
  await refuseEmbedded(context, 'Use a server: one of your own, or one in a container.');
  if (!isProgram(program, folder))
    throw new TenantctlError('USAGE', `There is no program "${program}".`, {
      hint: "For what a shell understands: tenantctl each -- sh -c '...'",
    });
  return context.withDatabase(flags.concurrency, (database, settings, _observe, core) =>
    withEnvironment(database, settings, async (environmentOf) => {
      const children = createChildren(output, folder);
      interruption.passOn(children.kill);
      const ends = new Map<string, ChildEnd>();
      const result = await core.forEachTenant(database, {
        tenants: flags.tenant,
        concurrency: flags.concurrency,
        maxFailures: flags.maxFailures,
        signal: interruption.signal,
        observe(event) {
          if (event.type === 'warning') output.warn(event.message);
        },
        async work(tenant) {
          const end = await children
            .run(tenant.clerkOrgId, program, args, environmentOf(tenant))
            .catch((error: unknown) => {
              // A script whose interpreter is missing, for example.
              throw new TenantctlError('PROGRAM_FAILED', `${program} did not start: ${messageOf(error)}.`);
            });
          ends.set(tenant.schema, end);
          if (end.exitCode !== 0) throw programFailed(program, end);
        },
      });
      return eachResult(context, result, ends);
    }),
  );
}

function programFailed(program: string, { exitCode, signal }: ChildEnd): TenantctlError {
  const how = exitCode === null ? `was ended by ${signal}` : `ended with exit code ${exitCode}`;
  return new TenantctlError('PROGRAM_FAILED', `${program} ${how}.`);
}

function eachResult(
  { output }: Context,
  result: ForEachTenantResult,
  ends: ReadonlyMap<string, ChildEnd>,
): CommandResult {
  const { totals, stopped, interrupted, durationMs, tenants } = result;
  const failed = tenants.filter(({ outcome }) => outcome === 'failed');
  showFailures(output, failed);
  const done = `${totals.done} of ${counted(totals.selected, 'tenant')} done`;
  output.message(`${done}, ${duration(durationMs)}`);
  return {
    document: {
      totals,
      interrupted,
      durationMs,
      tenants: tenants.map((tenant) => ({ ...withReport(tenant), ...ends.get(tenant.schema) })),
    },
    error: interrupted
      ? undone('INTERRUPTED', 'a signal')
      : stopped
        ? undone('ROLLOUT_STOPPED', stopped)
        : failureOf(failed, totals.selected),
    interrupted,
  };
}

function undone(code: ErrorCode, why: string): TenantctlError {
  return new TenantctlError(code, `The run was stopped before every tenant was done: ${why}.`, {
    hint: 'To run the program for the others, name them with --tenant.',
  });
}
